package records

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// framed is what lz4.Writer makes of b.
func framed(tb testing.TB, b []byte, options ...lz4.Option) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	if err := w.Apply(options...); err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// unframed reads a frame to its end.
func unframed(b []byte) ([]byte, error) {
	f, ok := openFrame(b)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	var out []byte
	for {
		var err error
		if out, err = f.next(out); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return out, err
		}
	}
}

func TestFrame(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 300_000) // which is stored as it is
	random.Read(noise)
	for name, content := range map[string][]byte{
		"nothing": {}, "a byte": {'x'}, "noise": noise,
		"a thousandth": bytes.Repeat([]byte{'x'}, 5<<20),
		"text":         bytes.Repeat([]byte(`{"type":"track","userId":"u1"},`), 20_000),
	} {
		for _, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb} {
			for _, sums := range []bool{false, true} {
				b := framed(t, content, lz4.BlockSizeOption(size), lz4.BlockChecksumOption(sums), lz4.ChecksumOption(sums), lz4.SizeOption(uint64(len(content))))
				if got, err := unframed(b); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s in blocks of %s, sums %t: %d bytes of %d: %v", name, size, sums, len(got), len(content), err)
				}
				if sums { // what is behind the end mark may be missing
					continue
				}
				for cut := 1; cut < min(len(b)-7, 2000); cut += 1 + cut/2 {
					if got, err := unframed(b[:len(b)-cut]); err == nil {
						t.Fatalf("%s without its last %d bytes: %d bytes of %d", name, cut, len(got), len(content))
					}
				}
			}
		}
	}
}

// FuzzFrame: what both this and lz4.Reader read, they read alike.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{"", "x", `{"type":"track","type":"track","type":"track"}`} {
		f.Add(framed(f, []byte(s)))
		f.Add(framed(f, []byte(s), lz4.BlockSizeOption(lz4.Block64Kb), lz4.BlockChecksumOption(true), lz4.ChecksumOption(false)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unframed(b)
		want, wantErr := io.ReadAll(lz4.NewReader(bytes.NewReader(b)))
		if err == nil && wantErr == nil && !bytes.Equal(got, want) {
			t.Errorf("%d bytes, lz4.Reader says %d", len(got), len(want))
		}
		if wantErr == nil && err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v; lz4.Reader reads %d bytes", err, len(want))
		}
	})
}
