//go:build race

package ratelimit

const withRace = true
