package status

import "testing"

var benched = Record{
	SID: "SM0123456789abcdef0123456789abcdef", Status: Accepted, To: "+15***567", From: "MG00000000000000000000000000000001", Action: "welcome-sms",
	MessageID: "6fb2c1f0-8a53-4f4b-9c1e-0d3f5b7a9e11", UserID: "user-12345", Region: "us-west-2", Position: Position{3, 12345678}, AcceptedAt: start,
}

// BenchmarkRecord writes a record's value as a delivery does, and reads it back as
// a new owner does.
func BenchmarkRecord(b *testing.B) {
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		var value []byte
		for b.Loop() {
			value = benched.append(value[:0])
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		value := benched.append(nil)
		for b.Loop() {
			if _, err := ParseRecord(value); err != nil {
				b.Fatal(err)
			}
		}
	})
}
