//go:build !race

package ratelimit

const withRace = false
