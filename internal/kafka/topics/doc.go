// Package topics says which topics the worker needs and how each must be set,
// makes them, and tells what is wrong with those that are there: what could
// delete or lose a record, and what this user may not do with them.
//
// One table (needs) holds what each kind of topic needs. Ensure makes topics
// by it, Check compares topics with it, Rights asks for the rights of it.
package topics
