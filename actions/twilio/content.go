package twilio

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"
)

const contentOp = "fetch content template"

// ContentTemplate is a template of Twilio's Content API. It may be shared and
// must not be changed.
type ContentTemplate struct {
	SID   string
	Types []ContentType // in Twilio's order: the hosted destination uses the first
}

// ContentType is one form of a template.
type ContentType struct {
	Name  string // twilio/text, twilio/media, ...
	Body  string
	Media []string
	// Malformed forms aren't of Twilio's shape: a body that is text, a list
	// of texts as media.
	Malformed bool
}

// Content fetches a template from baseURL, scheme://host[:port]. It tries a
// few times within ctx. An error is a *LookupError.
func (c *Client) Content(ctx context.Context, baseURL, sid string) (ContentTemplate, error) {
	template, _, err := c.content(ctx, baseURL, sid)
	return template, err
}

// content also tells the size of the answer.
func (c *Client) content(ctx context.Context, baseURL, sid string) (ContentTemplate, int, error) {
	if sid == "" || sid == "." || sid == ".." {
		return ContentTemplate{}, 0, &LookupError{Op: contentOp, Err: errors.New("the content SID is empty or not a SID")}
	}
	body, err := c.contents.Get(ctx, contentOp, baseURL+"/v1/Content/"+url.PathEscape(sid))
	if err != nil {
		return ContentTemplate{}, 0, err
	}
	template, err := decodeContent(sid, body)
	return template, len(body), err
}

// decodeContent reads body, which is valid JSON, in its order.
func decodeContent(sid string, body []byte) (ContentTemplate, error) {
	types := gjson.GetBytes(body, "types")
	if !types.IsObject() {
		return ContentTemplate{}, &LookupError{Op: contentOp, Status: http.StatusOK, Err: errors.New("the template has no types")}
	}
	template := ContentTemplate{SID: sid}
	types.ForEach(func(name, form gjson.Result) bool {
		body, media := form.Get("body"), form.Get("media")
		t := ContentType{
			Name: name.String(), Body: body.String(),
			Malformed: !form.IsObject() || body.Type == gjson.JSON || media.Type != gjson.Null && !media.IsArray(),
		}
		for _, item := range media.Array() {
			t.Media = append(t.Media, item.String())
			t.Malformed = t.Malformed || item.Type != gjson.String
		}
		template.Types = append(template.Types, t)
		return true
	})
	return template, nil
}
