// Package audits keeps what the record of replays says, in few bytes a letter: which
// series, a replay with those that went on with it, sent a letter again last, where the
// record speaks of it, and what each series did.
//
// A replay of a letter is the series' that intended it first, until that one takes it
// back or another one has published it. Of very many series the older half is
// forgotten. Who uses Audits lets nobody else at them meanwhile.
package audits
