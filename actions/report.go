package actions

import (
	"context"
	"errors"
	"net/http"
	"time"

	"engage-worker/actions/twilio"
)

// Report is what Twilio says has become of a message that went through a
// region. A message of a former account is looked up there.
func (d *Destination) Report(ctx context.Context, region, sid string) (twilio.Report, error) {
	base := d.apiOf(region)
	r, err := d.twilio.Report(ctx, base, sid)
	for _, f := range d.former {
		if !isNotFound(err) {
			break
		}
		if f.baseURL != "" {
			base = f.baseURL
		}
		r, err = f.twilio.Report(ctx, base, sid)
	}
	return r, err
}

// Reports is a page of what Twilio says of the messages of a region that were
// sent between two times; see twilio.Client.Reports.
func (d *Destination) Reports(ctx context.Context, region string, from, until time.Time, page string, each func(twilio.Report)) (next string, err error) {
	return d.twilio.Reports(ctx, d.apiOf(region), from, until, page, each)
}

// Present is the region through which a message is asked for that went through
// region: another one, the destination's own, where that isn't configured any more.
func (d *Destination) Present(region string) string {
	if _, ok := d.endpoints[region]; ok {
		return region
	}
	return d.region
}

func (d *Destination) apiOf(region string) string { return d.endpoints[d.Present(region)].api }

func isNotFound(err error) bool {
	failed, ok := errors.AsType[*twilio.LookupError](err)
	return ok && failed.Status == http.StatusNotFound && !failed.Retryable
}
