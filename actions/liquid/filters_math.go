package liquid

import (
	"math"

	"engage-worker/actions/jsvalue"
)

// mathFilter finds filters of numbers. What is no number is NaN, as in
// JavaScript.
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
		return of2(math.Mod)
	case "at_least":
		return fold(math.Max)
	case "at_most":
		return fold(math.Min)
	case "divided_by":
		return func(_ *state, in any, args []any) (any, error) {
			q := number(in) / jsvalue.Number(arg(args, 0))
			if jsTruthy(arg(args, 1)) {
				q = math.Floor(q)
			}
			return q, nil
		}
	case "round":
		return func(_ *state, in any, args []any) (any, error) {
			scale := math.Pow(10, numberArg(args, 0, 0))
			return round(number(in)*scale) / scale, nil
		}
	}
	return nil
}

func of1(f func(float64) float64) filter {
	return func(_ *state, in any, _ []any) (any, error) { return f(number(in)), nil }
}

func of2(f func(a, b float64) float64) filter {
	return func(_ *state, in any, args []any) (any, error) {
		return f(number(in), jsvalue.Number(arg(args, 0))), nil
	}
}

func fold(f func(a, b float64) float64) filter {
	return func(_ *state, in any, args []any) (any, error) {
		n := number(in)
		for i := range args {
			n = f(n, jsvalue.Number(arg(args, i)))
		}
		return n, nil
	}
}

// round is Math.round: halves go up.
func round(f float64) float64 {
	if math.IsInf(f, 0) || f != f {
		return f
	}
	low := math.Floor(f)
	if f-low >= 0.5 {
		return low + 1
	}
	return low
}
