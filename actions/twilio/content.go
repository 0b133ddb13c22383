package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"engage-worker/actions/jsvalue"
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

// content also tells how much of memory the template takes.
func (c *Client) content(ctx context.Context, baseURL, sid string) (ContentTemplate, int, error) {
	if sid == "" || sid == "." || sid == ".." {
		return ContentTemplate{}, 0, &LookupError{Op: contentOp, Err: errors.New("the content SID is empty or not a SID")}
	}
	body, err := c.contents.Get(ctx, contentOp, baseURL+"/v1/Content/"+url.PathEscape(sid))
	if err != nil {
		return ContentTemplate{}, 0, err
	}
	template, err := decodeContent(sid, body)
	return template, len(body) + template.items()*itemSize, err
}

// maxItems bounds a template's forms and media. Twilio's have ten at most.
const maxItems = 1000

// itemSize is what a form or a medium takes besides its text, in bytes.
const itemSize = 96

func (t *ContentTemplate) items() int {
	n := len(t.Types)
	for i := range t.Types {
		n += len(t.Types[i].Media)
	}
	return n
}

// decodeContent reads body, which is valid JSON, in its order. An answer that is
// no template, such as an error's JSON, may pass.
func decodeContent(sid string, body []byte) (ContentTemplate, error) {
	wrong := func(why string, passes bool) (ContentTemplate, error) {
		return ContentTemplate{}, &LookupError{Op: contentOp, Status: http.StatusOK, Retryable: passes, Err: errors.New(why)}
	}
	var answer struct {
		Types json.RawMessage `json:"types"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return wrong("the answer is not a template", true)
	}
	decoded, err := jsvalue.Decode(string(answer.Types))
	types, ok := decoded.(*jsvalue.Object)
	if err != nil || !ok {
		return wrong("the template has no types", true)
	}
	template := ContentTemplate{SID: sid}
	for name, form := range types.All() {
		template.Types = append(template.Types, contentType(name, form))
		if template.items() > maxItems {
			return wrong("the template has more types and media than any has", false)
		}
	}
	return template, nil
}

func contentType(name string, form any) ContentType {
	t := ContentType{Name: name}
	fields, ok := form.(*jsvalue.Object)
	if !ok {
		t.Malformed = true
		return t
	}
	switch body, _ := fields.Get("body"); body := body.(type) {
	case nil:
	case []any, *jsvalue.Object:
		t.Body, t.Malformed = jsvalue.Encode(body), true
	default:
		t.Body = jsvalue.String(body)
	}
	media, _ := fields.Get("media")
	items, ok := media.([]any)
	if !ok && media != nil {
		items, t.Malformed = []any{media}, true
	}
	for _, item := range items {
		address, ok := item.(string)
		t.Media = append(t.Media, address)
		t.Malformed = t.Malformed || !ok
	}
	return t
}
