package deadletter

import "context"

// Letter is as much of a dead letter as closing it needs.
type Letter struct {
	ID, Origin          string
	Replays             int
	Destination, Action string
	Reason              string
	At                  Position
	source              int
}

// LetterOf is a record's.
func LetterOf(r *Record) Letter {
	return Letter{
		ID: r.ID(), Origin: r.origin(), Replays: r.Replays, Destination: r.Destination, Action: r.Action, Reason: r.Reason, At: r.Position, source: r.Partition,
	}
}

// Dismiss writes down that letters are closed, or with reopen that they aren't
// any more: by whom and why. A nil error says that all in-sync replicas have it.
func (l *AuditLog) Dismiss(ctx context.Context, letters []Letter, by, why string, reopen bool) error {
	state, at := Dismissed, now()
	if reopen {
		state = Reopened
	}
	plan := NewPlanID()
	chunks := map[int][]Audit{}
	write := func(source int) error {
		chunk := chunks[source]
		delete(chunks, source)
		return l.write(ctx, source, chunk)
	}
	for _, letter := range letters {
		chunks[letter.source] = append(chunks[letter.source], Audit{
			ID: letter.ID, Origin: letter.Origin, Replay: letter.Replays + 1, Plan: plan, Series: plan, State: state, By: by, At: at, Why: clean(why),
			Destination: letter.Destination, Action: letter.Action, Reason: letter.Reason, DeadLetter: letter.At.String(),
		})
		if len(chunks[letter.source]) == maxChunk {
			if err := write(letter.source); err != nil {
				return err
			}
		}
	}
	for source := range chunks {
		if err := write(source); err != nil {
			return err
		}
	}
	return nil
}
