// Package dlq is the commands with which analysts look at dead letters and send
// them again, a file each.
//
//	dead-letter topic ── reading ── filter, states ──┬─ stats, list, show, export
//	                                                 └─ replay, dismiss
package dlq

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/letters"
)

// Cmd is what analysts look at the dead letters with.
type Cmd struct {
	Stats  Stats  `cmd:"" help:"Count the dead letters by reason, action, region, Twilio code, hour and more."`
	List   List   `cmd:"" help:"List dead letters, newest first."`
	Show   Show   `cmd:"" help:"Show everything of one dead letter: why, what mends it, the event, what would be sent now, its replays."`
	Export Export `cmd:"" help:"Write dead letters as JSON Lines, CSV or Parquet."`
	Replay Replay `cmd:"" help:"Send dead letters again: shows a plan, and carries it out when told to."`

	Dismiss Dismiss `cmd:"" help:"Close dead letters that need nothing more, with a reason; or open them again."`
}

// Validate is kong's hook. It refuses options without a value: where a script's
// variable is empty, they would choose everything.
func (c *Cmd) Validate(kctx *kong.Context) error {
	for _, p := range kctx.Path {
		if p.Flag == nil {
			continue
		}
		empty := false
		switch v := kctx.FlagValue(p.Flag).(type) {
		case string:
			empty = v == ""
		case []string:
			empty = len(v) == 0 || slices.Contains(v, "")
		case []deadletter.Dimension:
			empty = len(v) == 0 || slices.Contains(v, "")
		case []int:
			empty = len(v) == 0
		}
		if empty {
			return fmt.Errorf("--%s needs a value", p.Flag.Name)
		}
	}
	return nil
}

// choosing are the options that choose dead letters. Of several values of an
// option any may match; all options must.
type choosing struct {
	letters.Options
	TZ letters.Zone `name:"tz" help:"The time zone of times that are given or shown to people: UTC, local, or a name as Europe/Berlin." placeholder:"ZONE"`

	filter deadletter.Filter // what they choose; Validate has found it
}

// Validate is kong's hook for flags.
func (f *choosing) Validate() (err error) {
	f.Zone = f.TZ.Location()
	f.filter, err = f.Filter("--", time.Now())
	return err
}

// chosen says that not all are.
func (f *choosing) chosen() string {
	if reflect.DeepEqual(f.filter, deadletter.Filter{}) {
		return ""
	}
	return " that the options choose"
}

// unknown is an error if an option names what the configuration doesn't know. It
// is asked when nothing was found: what isn't configured any more may have dead
// letters.
func (f *choosing) unknown(cfg *config.Config) error {
	return cli.BadInput(f.Unknown("--", cfg))
}
