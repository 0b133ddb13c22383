// Package deploy checks deploy/kubernetes against Kubernetes' own types. It is
// a module of its own, so that those stay out of the worker's.
package deploy
