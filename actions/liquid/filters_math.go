package liquid

import (
	"math"
	"strings"

	"engage-worker/actions/jsvalue"
)

// mathFilter finds filters of numbers. What is no number is 0.
func mathFilter(name string) filter {
	switch name {
	case "abs":
		return of1(math.Abs)
	case "ceil":
		return of1(math.Ceil)
	case "floor":
		return of1(math.Floor)
	case "plus":
		return of2(func(a, b float64) float64 { return a + b })
	case "minus":
		return of2(func(a, b float64) float64 { return a - b })
	case "times":
		return of2(func(a, b float64) float64 { return a * b })
	case "modulo":
		return of2(func(a, b float64) float64 { return math.Mod(math.Mod(a, b)+b, b) })
	case "at_least":
		return fold(math.Max)
	case "at_most":
		return fold(math.Min)
	case "divided_by":
		return func(_ *state, in any, args []any) (any, error) {
			q := orZero(in) / numberArg(args, 0, math.NaN())
			if numberArg(args, 1, 0) != 0 {
				q = math.Floor(q)
			}
			return q, nil
		}
	case "round":
		return func(_ *state, in any, args []any) (any, error) {
			return round(orZero(in), numberArg(args, 0, 0)), nil
		}
	}
	return nil
}

func of1(f func(float64) float64) filter {
	return func(_ *state, in any, _ []any) (any, error) { return f(orZero(in)), nil }
}

func of2(f func(a, b float64) float64) filter {
	return func(_ *state, in any, args []any) (any, error) {
		return f(orZero(in), numberArg(args, 0, math.NaN())), nil
	}
}

func fold(f func(a, b float64) float64) filter {
	return func(_ *state, in any, args []any) (any, error) {
		n := orZero(in)
		for i := range args {
			n = f(n, numberArg(args, i, 0))
		}
		return n, nil
	}
}

// orZero is v as a number, 0 when it is none.
func orZero(v any) float64 {
	if n := number(v); n == n {
		return n
	}
	return 0
}

// round rounds to so many decimals, halves away from zero. It shifts the
// decimal point in the text of the number, so that 1.005 is half of a hundredth
// above 1. Numbers without decimals left stay as they are.
func round(f, decimals float64) float64 {
	scaled := shiftPoint(math.Abs(f), decimals)
	if !(scaled <= 1<<53-1) {
		return f
	}
	return math.Copysign(shiftPoint(math.Floor(scaled+0.5), -decimals), f)
}

// shiftPoint is f times ten to the power of places, NaN for broken places.
func shiftPoint(f, places float64) float64 {
	mantissa, exponent, _ := strings.Cut(jsvalue.FormatNumber(f), "e")
	return jsvalue.Number(mantissa + "e" + jsvalue.FormatNumber(jsvalue.Number(exponent)+places))
}
