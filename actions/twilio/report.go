package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const reportOp = "look a message up"

// Report is what Twilio says has become of a message. Times are to the second.
type Report struct {
	SID      string
	Status   string // Twilio's own word
	Code     int    // of a failure
	Segments int    // 0 until Twilio knows
	Sent     time.Time
	Updated  time.Time // the last change of the status, at least for one that has ended
}

// Report asks for one message by its SID. Every error is a *LookupError; one
// of Status 404 says that the account has no such message.
func (c *Client) Report(ctx context.Context, baseURL, sid string) (Report, error) {
	if !isMessageSID(sid) {
		return Report{}, &LookupError{Op: reportOp, Status: 404, Err: errors.New("that is no message's SID")}
	}
	var m listedMessage
	err := c.lists.Read(ctx, reportOp, baseURL+"/2010-04-01/Accounts/"+c.accountSID+"/Messages/"+sid+".json", func(body io.Reader) error {
		return json.NewDecoder(io.LimitReader(body, maxValue)).Decode(&m)
	})
	if err != nil {
		return Report{}, err
	}
	if m.SID != sid || m.Status == "" {
		return Report{}, &LookupError{Op: reportOp, Status: 200, Err: errors.New("the answer is not the message")}
	}
	return m.report(), nil
}

// Reports calls each for the messages of one page of the list, newest first, of
// those that were sent between two times. page is "" for the first, and then
// what the call before returned; "" again means that there are no more.
// Every error is a *LookupError.
func (c *Client) Reports(ctx context.Context, baseURL string, from, until time.Time, page string, each func(Report)) (next string, err error) {
	path := "/2010-04-01/Accounts/" + c.accountSID + "/Messages.json"
	if page == "" {
		page = path + "?" + url.Values{
			"DateSent>": {from.UTC().Format(time.RFC3339)}, "DateSent<": {until.UTC().Format(time.RFC3339)}, "PageSize": {strconv.Itoa(listPageSize)},
		}.Encode()
	}
	var following string
	err = c.lists.Read(ctx, listOp, baseURL+page, func(body io.Reader) error {
		var err error
		following, err = readPage(body, func(m *listedMessage) error {
			if isMessageSID(m.SID) && m.Direction != "inbound" && (m.AccountSID == "" || strings.EqualFold(m.AccountSID, c.accountSID)) {
				each(m.report())
			}
			return nil
		})
		return err
	})
	if err != nil || following == "" {
		return "", err
	}
	return nextPage(following, baseURL, path)
}

func (m *listedMessage) report() Report {
	return Report{
		SID: m.SID, Status: m.Status, Code: int(m.ErrorCode), Segments: int(m.NumSegments), Sent: dated(m.DateSent), Updated: dated(m.DateUpdated),
	}
}

// dated is one of Twilio's times, or zero.
func dated(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := mail.ParseDate(s)
	if err != nil {
		if t, err = time.Parse(time.RFC3339, s); err != nil {
			return time.Time{}
		}
	}
	return t.UTC()
}
