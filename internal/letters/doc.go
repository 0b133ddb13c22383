// Package letters is what whoever looks at dead letters shares, on the command
// line and in a browser: the topics of a configuration, what a reason, a state
// and a plan mean in words, what mends a failure, and what the configuration
// would make of a letter's event now.
package letters
