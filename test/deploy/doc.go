// Package deploy checks deploy/kubernetes against Kubernetes' own types and
// deploy/grafana against Grafana's. It is a module of its own, so that those
// stay out of the worker's. Run it with -count=1: what it reads is outside of
// this module, where go test's cache sees no change.
package deploy
