package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"engage-worker/internal/pause"
	"engage-worker/internal/sim/twiliosim"
)

// forge posts callbacks that aren't Twilio's, of every accepted message some, until ctx
// ends: each says the opposite of what becomes of its message. It returns an
// error where one was taken.
func (r *run) forge(ctx context.Context) error {
	if r.front == nil {
		return nil
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	n, other := 0, ""
	for {
		for m := range r.vendor.sim.MessagesSince(r.forged.seen + 1) {
			r.forged.seen = m.Seq
			if m.Seq%5 != 0 {
				continue
			}
			target, _, _ := strings.Cut(m.Value("StatusCallback"), "#")
			status, code := "failed", "30007"
			if m.End != "" {
				status, code = "delivered", ""
			}
			form := url.Values{"MessageSid": {m.SID}, "MessageStatus": {status}, "ErrorCode": {code}}
			if err := r.forged.post(ctx, client, target, other, form, n); err != nil {
				return err
			}
			other, n = target, n+1
		}
		if !pause.For(ctx, 200*time.Millisecond) {
			return nil
		}
	}
}

// forgeries counts forged callbacks by how they were answered.
type forgeries struct {
	seen    uint64 // the last message
	refused int    // 403 and 404
	other   int    // no receiver, or no answer
}

// post forges a message's callback in the n-th of some ways; other is another
// message's address.
func (f *forgeries) post(ctx context.Context, client *http.Client, target, other string, form url.Values, n int) error {
	at, signature := target, ""
	switch n % 4 {
	case 0: // a signature of the path that is made up
		at, signature = target[:len(target)-3]+"AAA", twiliosim.Sign(authToken, target[:len(target)-3]+"AAA", form)
	case 1: // a true address, and no signature of Twilio's
	case 2: // signed with another token
		signature = twiliosim.Sign(callbackKey, target, form)
	case 3: // the key of one message under the signature of another's
		if other == "" {
			return nil
		}
		at = target[:strings.LastIndexByte(target, '/')] + other[strings.LastIndexByte(other, '/'):]
		signature = twiliosim.Sign(authToken, at, form)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("a message's StatusCallback is no address: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if signature != "" {
		req.Header.Set("X-Twilio-Signature", signature)
	}
	res, err := client.Do(req)
	if err != nil {
		f.other++
		return nil //nolint:nilerr // as often as receivers are away
	}
	_, _ = io.Copy(io.Discard, res.Body) // to keep the connection
	res.Body.Close()
	switch res.StatusCode {
	case http.StatusForbidden, http.StatusNotFound:
		f.refused++
	case http.StatusNoContent:
		return fmt.Errorf("a forged callback was taken, in the way %d: %s", n%4, form.Get("MessageSid"))
	default:
		f.other++
	}
	return nil
}
