package replays

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"engage-worker/deadletter"
	"engage-worker/internal/letters"
)

// mostDismissed bounds how many are closed at once: so many are in memory.
const mostDismissed = 100_000

// ErrTooMany says that more letters are chosen than can be closed at once: none was.
var ErrTooMany = fmt.Errorf("more than %d letters are chosen: nothing was done; choose fewer at a time", mostDismissed)

// Dismiss closes the letters that a filter chooses, or with reopen opens dismissed
// ones again, by whom and why. It returns how many; those in a state that isn't for
// it are passed over.
func (m *Manager) Dismiss(ctx context.Context, f deadletter.Filter, by, why string, reopen bool) (int, error) {
	switch {
	case strings.TrimSpace(by) == "" || strings.TrimSpace(why) == "":
		return 0, errors.New("who closes or opens letters, and why, must be said")
	case !m.cfg.Store.Progress().Loaded:
		return 0, ErrLoading
	}
	var chosen []deadletter.Letter
	if err := m.cfg.Store.Export(ctx, f, func(r *deadletter.Record) error {
		if !letters.Dismissible(r.State, reopen) {
			return nil
		}
		if len(chosen) == mostDismissed {
			return ErrTooMany
		}
		chosen = append(chosen, deadletter.LetterOf(r))
		return nil
	}); err != nil || len(chosen) == 0 {
		return 0, err
	}
	audit, err := m.cfg.OpenAudit(ctx, true)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(audit.Dismiss(ctx, chosen, by, why, reopen), audit.Close()); err != nil {
		return 0, err
	}
	return len(chosen), nil
}
