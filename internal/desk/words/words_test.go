package words

import (
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Count(0): "0", Count(999): "999", Count(1000): "1,000", Count(int64(1234567)): "1,234,567",
		Plural(1, "letter"): "1 letter", Plural(2000, "letter"): "2,000 letters",
		Percent(1, 1000): "<1%", Percent(999, 1000): ">99%", Percent(1, 3): "33%", Percent(0, 0): "", Percent(3, 3): "100%", Percent(0, 3): "0%",
		Lasting(90 * time.Second): "90 seconds", Lasting(49 * time.Hour): "2 days", Lasting(time.Millisecond): "under a second",
		Short(5, "ünter alles"): "ünte…", Short(20, "ünter"): "ünter", Capital("été"): "Été",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
