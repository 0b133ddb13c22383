package twilio

import (
	"cmp"
	"slices"
	"testing"
)

func TestCodesAreSorted(t *testing.T) {
	if !slices.IsSortedFunc(codes[:], func(a, b code) int {
		if a.number == b.number {
			t.Errorf("%d is there twice", a.number)
		}
		return cmp.Compare(a.number, b.number)
	}) {
		t.Error("codes are looked up by bisection and must be sorted")
	}
}
