package config

import "testing"

func TestOnLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8082": true, "127.9.9.9:0": true, "[::1]:8082": true, "localhost:8082": true, "LOCALHOST:1": true, "[::ffff:127.0.0.1]:1": true,
		":8082": false, "0.0.0.0:8082": false, "[::]:8082": false, "10.0.0.1:8082": false, "localhost.example.com:1": false, "127.0.0.1.nip.io:1": false, "": false, "localhost": false,
	} {
		if got := OnLoopback(address); got != want {
			t.Errorf("%q: %t", address, got)
		}
	}
}
