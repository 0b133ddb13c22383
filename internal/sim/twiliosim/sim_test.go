package twiliosim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testAccount = "AC00000000000000000000000000000001"
	testService = "MG00000000000000000000000000000001"
	messages    = accountsPrefix + testAccount + "/Messages.json"
)

// newSim is a Sim that the test closes.
func newSim(t testing.TB, opts Options) *Sim {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// call asks the handler without a network.
func call(t testing.TB, s *Sim, method, target, form string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("SK1", "secret")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// send creates a message and gives its SID.
func send(t testing.TB, s *Sim, form url.Values) string {
	t.Helper()
	status, body := call(t, s, "POST", messages, form.Encode())
	if status != http.StatusCreated {
		t.Fatalf("create: %d %s", status, body)
	}
	return decode[resource](t, body).SID
}

func decode[T any](t testing.TB, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func sms(to, body string) url.Values {
	return url.Values{"To": {to}, "From": {"+15005550006"}, "Body": {body}}
}

func TestMessageThroughItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, Options{ClockOffset: -time.Hour})
		status, body := call(t, s, "POST", messages, url.Values{
			"To": {"(555) 123-4567"}, "From": {testService}, "Body": {"see https://example.com/a?b=c now"}, "ShortenUrls": {"true"},
		}.Encode())
		if status != http.StatusCreated {
			t.Fatalf("create: %d %s", status, body)
		}
		created := decode[map[string]any](t, body)
		sid := created["sid"].(string)
		uri := accountsPrefix + testAccount + "/Messages/" + sid
		want := map[string]any{
			"account_sid": testAccount, "api_version": "2010-04-01", "body": "see https://example.com/a?b=c now",
			"date_created": "Fri, 31 Dec 1999 23:00:00 +0000", "date_updated": "Fri, 31 Dec 1999 23:00:00 +0000", "date_sent": nil,
			"direction": "outbound-api", "error_code": nil, "error_message": nil, "from": nil, "messaging_service_sid": testService,
			"num_media": "0", "num_segments": "0", "price": nil, "price_unit": nil, "sid": sid, "status": "accepted",
			"subresource_uris": map[string]any{"media": uri + "/Media.json"}, "to": "+15551234567", "uri": uri + ".json",
		}
		if !reflect.DeepEqual(created, want) {
			t.Errorf("created:\n got %v\nwant %v", created, want)
		}
		show := func() map[string]any {
			_, body := call(t, s, "GET", uri+".json", "")
			return decode[map[string]any](t, body)
		}
		want["body"] = "see https://twil.example/56jfceu now"
		if got := show(); !reflect.DeepEqual(got, want) {
			t.Errorf("listed:\n got %v\nwant %v", got, want)
		}
		time.Sleep(time.Second)
		want["status"], want["from"], want["num_segments"], want["price_unit"] = "sent", "+15005558617", "1", "USD"
		want["date_sent"], want["date_updated"] = "Fri, 31 Dec 1999 23:00:01 +0000", "Fri, 31 Dec 1999 23:00:01 +0000"
		if got := show(); !reflect.DeepEqual(got, want) {
			t.Errorf("sent:\n got %v\nwant %v", got, want)
		}
		time.Sleep(2 * time.Second)
		want["status"], want["date_updated"] = "delivered", "Fri, 31 Dec 1999 23:00:03 +0000"
		if got := show(); !reflect.DeepEqual(got, want) {
			t.Errorf("delivered:\n got %v\nwant %v", got, want)
		}
	})
}

func TestValidation(t *testing.T) {
	s := newSim(t, Options{})
	ok := func(pairs ...string) url.Values {
		form := sms("+15551234567", "hi")
		for i := 0; i < len(pairs); i += 2 {
			if form[pairs[i]] = []string{pairs[i+1]}; pairs[i+1] == "" {
				delete(form, pairs[i])
			}
		}
		return form
	}
	media := ok()
	media["MediaUrl"] = slices.Repeat([]string{"https://example.com/a.png"}, 11)
	for _, test := range []struct {
		name         string
		form         url.Values
		status, code int
	}{
		{"accepted", ok(), 201, 0},
		{"body of 1600 characters", ok("Body", strings.Repeat("ü", 1600)), 201, 0},
		{"media alone", ok("Body", "", "MediaUrl", "https://example.com/a.png"), 201, 0},
		{"service", ok("From", "", "MessagingServiceSid", testService), 201, 0},
		{"service as From", ok("From", testService), 201, 0},
		{"short code", ok("From", "12345"), 201, 0},
		{"alphanumeric", ok("From", "Acme & Co"), 201, 0},
		{"WhatsApp", ok("From", "whatsapp:+15005550006", "To", "whatsapp:+15551234567"), 201, 0},
		{"WhatsApp by a service", ok("From", testService, "To", "whatsapp:+15551234567"), 201, 0},
		{"Messenger", ok("From", "messenger:100000000000001", "To", "messenger:2000000000000002"), 201, 0},
		{"Messenger by a service", ok("From", testService, "To", "messenger:2000000000000002"), 201, 0},
		{"Messenger to a number", ok("From", "messenger:100000000000001", "To", "messenger:+15551234567"), 400, 21211},
		{"Messenger from a number", ok("From", "+15005550006", "To", "messenger:2000000000000002"), 400, 21910},
		{"Messenger from a name", ok("From", "messenger:???", "To", "messenger:2000000000000002"), 400, 21212},
		{"template", ok("Body", "", "ContentSid", TemplateWhatsApp, "ContentVariables", `{"1":"Jane","2":"A-7"}`), 201, 0},
		{"foreign number", ok("To", "+41446681800"), 201, 0},
		{"no To", ok("To", ""), 400, 21604},
		{"empty channel", ok("To", "whatsapp:"), 400, 21604},
		{"no From", ok("From", ""), 400, 21603},
		{"nothing to send", ok("Body", ""), 400, 21602},
		{"long body", ok("Body", strings.Repeat("x", 1601)), 400, 21617},
		{"much media", media, 400, 21623},
		{"no number", ok("To", "nobody"), 400, 21211},
		{"short number", ok("To", "+1555"), 400, 21211},
		{"long number", ok("To", "+155512345678"), 400, 21211},
		{"odd sender", ok("From", "???"), 400, 21212},
		{"other channel", ok("To", "whatsapp:+15551234567"), 400, 21910},
		{"unknown template", ok("Body", "", "ContentSid", "HX1"), 400, 21655},
		{"null variable", ok("ContentSid", TemplateWhatsApp, "ContentVariables", `{"1":null}`), 400, 21656},
		{"empty variable", ok("ContentSid", TemplateWhatsApp, "ContentVariables", `{"1":""}`), 400, 21656},
		{"no object", ok("ContentSid", TemplateWhatsApp, "ContentVariables", `[]`), 400, 21656},
		{"magic To, invalid", ok("To", "+15005550001"), 400, 21211},
		{"magic To, unroutable", ok("To", "+15005550002"), 400, 21612},
		{"magic To, forbidden", ok("To", "+15005550003"), 400, 21408},
		{"magic To, blocked", ok("To", "+15005550004"), 400, 21610},
		{"magic To, landline", ok("To", "+15005550009"), 400, 21614},
		{"magic To on WhatsApp", ok("To", "whatsapp:+15005550004", "From", "whatsapp:+15005550006"), 400, 21610},
		{"magic From, invalid", ok("From", "+15005550001"), 400, 21212},
		{"magic From, not owned", ok("From", "+15005550007"), 400, 21606},
		{"magic From, queue full", ok("From", "+15005550008"), 429, 21611},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.Stats().Accepted
			status, body := call(t, s, "POST", messages, test.form.Encode())
			answer := decode[struct {
				Code   int
				Status any // a number of errors, a text of messages
			}](t, body)
			if status != test.status || answer.Code != test.code || test.code != 0 && answer.Status != float64(status) {
				t.Errorf("%d %s, want %d with code %d", status, body, test.status, test.code)
			}
			if accepted := s.Stats().Accepted - before; (accepted == 1) != (test.status == 201) {
				t.Errorf("%d messages accepted", accepted)
			}
		})
	}
}

func TestNormalise(t *testing.T) {
	for number, want := range map[string]string{
		"+15551234567": "+15551234567", "555-123-4567": "+15551234567", "1 (555) 123 4567": "+15551234567",
		"+41 44 668 18 00": "+41446681800", "+4917612345678": "+4917612345678",
		"": "", "abc": "", "+0123456789": "", "123": "", "+1": "", "5551234567890123456": "",
	} {
		if got, ok := normalise(number); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v, want %q", number, got, ok, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"+15551234567", "(555) 123-4567", "whatsapp:+49 176 1234", "\x00", "+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, number string) {
		once, ok := normalise(number)
		if !ok {
			return
		}
		if !isE164(once) {
			t.Skip("possible in its country, though not E.164 by its length")
		}
		if twice, ok := normalise(once); ok && twice != once {
			t.Errorf("%q becomes %q, which becomes %q", number, once, twice)
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add("To=%2B15551234567&From=MG1&Body=a+b&MediaUrl=x&MediaUrl=y")
	f.Add("&&=&%zz=%&To")
	f.Fuzz(func(t *testing.T, raw string) {
		want, err := url.ParseQuery(raw)
		got := make(url.Values)
		for name, value := range formValues(raw) {
			got[name] = append(got[name], value)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", raw, got, want)
		}
	})
}

func TestSegments(t *testing.T) {
	for body, want := range map[string]int{
		"": 1, strings.Repeat("a", 160): 1, strings.Repeat("a", 161): 2, strings.Repeat("a", 307): 3,
		strings.Repeat("€", 80): 1, strings.Repeat("€", 81): 2,
		strings.Repeat("ł", 70): 1, strings.Repeat("ł", 71): 2, strings.Repeat("😀", 35): 1, strings.Repeat("😀", 36): 2,
	} {
		if got := segments(body); got != want {
			t.Errorf("%d characters of %.4q: %d segments, want %d", len([]rune(body)), body, got, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	s := newSim(t, Options{Accounts: map[string]map[string]string{testAccount: {"SK1": "secret"}}, ProfileTokens: []string{"token"}})
	open := newSim(t, Options{})
	const traits = "/v1/spaces/spa_1/collections/users/profiles/user_id:jane/traits"
	for _, test := range []struct {
		name                   string
		sim                    *Sim
		user, password, target string
		want                   int
	}{
		{"right", s, "SK1", "secret", messages, 200},
		{"wrong password", s, "SK1", "other", messages, 401},
		{"wrong user", s, "SK2", "secret", messages, 401},
		{"wrong account", s, "SK1", "secret", accountsPrefix + "AC2/Messages.json", 401},
		{"none", s, "", "", messages, 401},
		{"any", open, "SK7", "x", messages, 200},
		{"the account itself", open, testAccount, "x", messages, 200},
		{"another account", open, "AC2", "x", messages, 401},
		{"none where any will do", open, "", "", messages, 401},
		{"content", s, "SK1", "secret", "/v1/Content/" + TemplateText, 200},
		{"content of nobody", s, "SK2", "secret", "/v1/Content/" + TemplateText, 401},
		{"profile", s, "token", "", traits, 200},
		{"profile of nobody", s, "other", "", traits, 401},
		{"profile where any will do", open, "other", "", traits, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", test.target, nil)
			if test.user != "" {
				r.SetBasicAuth(test.user, test.password)
			}
			w := httptest.NewRecorder()
			test.sim.ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, test.want)
			}
		})
	}
	status, body := call(t, open, "POST", strings.Replace(messages, "Accounts/AC", "Accounts/XX", 1), "")
	if status != 400 || decode[struct{ Code int }](t, body).Code != 21604 {
		t.Errorf("an API key may be anyone's: %d %s", status, body)
	}
}

func TestUnknownPaths(t *testing.T) {
	s := newSim(t, Options{})
	for _, test := range []struct {
		method, target string
		status, code   int
	}{
		{"GET", "/2010-04-01/Accounts/" + testAccount + "/Calls.json", 404, 20404},
		{"GET", "/", 404, 20404},
		{"DELETE", messages, 405, 20004},
		{"GET", strings.TrimSuffix(messages, ".json") + "/SM1.json", 404, 20404},
		{"GET", "/v1/Content/HX404", 404, 20404},
	} {
		status, body := call(t, s, test.method, test.target, "")
		if got := decode[struct{ Code int }](t, body).Code; status != test.status || got != test.code {
			t.Errorf("%s %s: %d %s", test.method, test.target, status, body)
		}
	}
}

func TestMessagesHoldWhatWasPosted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Message
		s := newSim(t, Options{OnAccepted: func(m Message) { told = append(told, m) }})
		form := "To=%2B1+555+123+4567&Body=Zoë+%26+co&From=MG1&Tags=%7B%22a%22%3A1%7D&MediaUrl=x&MediaUrl=y"
		if status, body := call(t, s, "POST", messages, form); status != 201 {
			t.Fatal(status, body)
		}
		now := time.Now().UTC()
		want := []Message{{
			Seq: 1, SID: s.id("MM", 1), Account: testAccount, To: "+15551234567", MessagingServiceSID: "MG1",
			Form:       [][2]string{{"To", "+1 555 123 4567"}, {"Body", "Zoë & co"}, {"From", "MG1"}, {"Tags", `{"a":1}`}, {"MediaUrl", "x"}, {"MediaUrl", "y"}},
			ReceivedAt: now, AcceptedAt: now, Remote: "192.0.2.1:1234", Host: "example.com",
		}}
		if got := slices.Collect(s.Messages()); !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
		if !reflect.DeepEqual(told, want) {
			t.Errorf("told %+v", told)
		}
		if want[0].Value("Tags") != `{"a":1}` || want[0].Value("none") != "" || want[0].Sender() != "MG1" {
			t.Error("Value or Sender")
		}
	})
}

func TestKeep(t *testing.T) {
	s := newSim(t, Options{Keep: 1500})
	var first, last string
	for i := range 5000 {
		last = send(t, s, sms(fmt.Sprintf("+1555%07d", i%2500), "hi"))
		if i == 0 {
			first = last
		}
	}
	kept := slices.Collect(s.Messages())
	if n := len(kept); n < 1500 || n > 1500+2*chunkSize || kept[n-1].SID != last || kept[0].Seq != 5001-uint64(n) {
		t.Errorf("%d kept, from %d", n, kept[0].Seq)
	}
	for sid, want := range map[string]int{first: 404, last: 200} {
		if status, _ := call(t, s, "GET", strings.TrimSuffix(messages, ".json")+"/"+sid+".json", ""); status != want {
			t.Errorf("fetch: %d, want %d", status, want)
		}
	}
	_, body := call(t, s, "GET", messages+"?To=%2B15550000000", "")
	if page := decode[messagePage](t, body); len(page.Messages) != 1 { // accepted as 1 and as 2501
		t.Errorf("%d listed", len(page.Messages))
	}
	if got := s.Stats().Accepted; got != 5000 {
		t.Errorf("%d accepted", got)
	}

	none := newSim(t, Options{Keep: -1})
	send(t, none, sms("+15551234567", "hi"))
	for range none.Messages() {
		t.Error("kept one")
	}
	if none.Stats().Accepted != 1 {
		t.Error("not counted")
	}
}

func TestReset(t *testing.T) {
	s := newSim(t, Options{})
	before := send(t, s, sms("+15551234567", "hi"))
	s.Reset()
	if got := s.Stats(); got.Accepted != 0 || got.Received != 0 || len(got.Statuses) != 0 {
		t.Errorf("%+v", got)
	}
	after := send(t, s, sms("+15551234567", "hi"))
	if after == before {
		t.Error("a SID was given twice")
	}
	if got := slices.Collect(s.Messages()); len(got) != 1 || got[0].SID != after {
		t.Errorf("%+v", got)
	}
}

func TestLookups(t *testing.T) {
	s := newSim(t, Options{
		UnknownProfiles: true,
		Templates:       map[string]map[string]any{"HX1": {"twilio/text": map[string]any{"body": "Hi {{1}}"}}},
		Profiles:        map[string]map[string]any{"a/b c": {"first_name": "Jane"}},
	})
	s.SetProfile("bob", map[string]any{"first_name": "Bob"})
	s.SetTemplate("HX2", map[string]any{"twilio/text": map[string]any{"body": "Hello"}})
	get := func(target string) (int, map[string]any) {
		status, body := call(t, s, "GET", target, "")
		return status, decode[map[string]any](t, body)
	}
	for sid, want := range map[string]any{
		"HX1": map[string]any{"twilio/text": map[string]any{"body": "Hi {{1}}"}},
		"HX2": map[string]any{"twilio/text": map[string]any{"body": "Hello"}},
	} {
		if status, got := get("/v1/Content/" + sid); status != 200 || got["sid"] != sid || !reflect.DeepEqual(got["types"], want) {
			t.Errorf("%d %v", status, got)
		}
	}
	const profiles = "/v1/spaces/spa_1/collections/users/profiles/user_id:"
	for id, want := range map[string]any{"a%2Fb%20c": "Jane", "bob": "Bob"} {
		status, got := get(profiles + id + "/traits?limit=200")
		if status != 200 || !reflect.DeepEqual(got["traits"], map[string]any{"first_name": want}) {
			t.Errorf("%d %v", status, got)
		}
	}
	if status, got := get(profiles + "eve/traits"); status != 404 || got["error"] == nil {
		t.Errorf("%d %v", status, got)
	}
	if status, _ := get(profiles + "bob/events"); status != 404 {
		t.Errorf("%d", status)
	}

	anyone := newSim(t, Options{})
	_, body := call(t, anyone, "GET", profiles+"eve/traits", "")
	want, _ := json.Marshal(Traits("eve"))
	if got := decode[struct{ Traits json.RawMessage }](t, body); string(got.Traits) != string(want) {
		t.Errorf("made up %s, want %s", got.Traits, want)
	}
	if reflect.DeepEqual(Traits("eve"), Traits("adam")) {
		t.Error("the same traits for everyone")
	}

	send(t, s, url.Values{"To": {"+15551234567"}, "From": {"+15005550006"}, "ContentSid": {"HX1"}, "ContentVariables": {`{"1":"Jane"}`}})
	_, body = call(t, s, "GET", messages, "")
	if page := decode[messagePage](t, body); page.Messages[0].Body != "Hi Jane" {
		t.Errorf("the template's body is %q", page.Messages[0].Body)
	}
	if got := s.Stats(); got.Templates != 2 || got.Profiles != 4 {
		t.Errorf("%+v", got)
	}
}

func TestSmartEncoding(t *testing.T) {
	s := newSim(t, Options{SmartEncoding: true})
	send(t, s, sms("+15551234567", "It’s “here” – now…"))
	_, body := call(t, s, "GET", messages, "")
	if got := decode[messagePage](t, body).Messages[0].Body; got != `It's "here" - now...` {
		t.Errorf("%q", got)
	}
}
