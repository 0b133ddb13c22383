// Package cli is what the commands share: their process, the configuration, what
// an error means to whoever called them, and how what they print is written.
package cli
