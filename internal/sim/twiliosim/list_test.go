package twiliosim

import (
	"context"
	"errors"
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

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// bodies lists and gives the bodies of one page.
func bodies(t testing.TB, s *Sim, query string) []string {
	t.Helper()
	status, body := call(t, s, "GET", messages+"?"+query, "")
	if status != http.StatusOK {
		t.Fatalf("list %s: %d %s", query, status, body)
	}
	got := []string{}
	for _, m := range decode[messagePage](t, body).Messages {
		got = append(got, m.Body)
	}
	return got
}

func TestListFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the time is 2000-01-01 00:00:00 UTC
		s := newSim(t, Options{})
		send(t, s, sms("+15551111111", "one"))
		time.Sleep(24 * time.Hour)
		send(t, s, sms("+15552222222", "two"))
		time.Sleep(10 * time.Second)
		send(t, s, url.Values{"To": {"+15551111111"}, "From": {testService}, "Body": {"three"}})
		send(t, s, url.Values{"To": {"whatsapp:+15551111111"}, "From": {"whatsapp:+15005550006"}, "Body": {"four"}})
		call(t, s, "POST", accountsPrefix+"AC2/Messages.json", sms("+15551111111", "another account's").Encode())
		for _, test := range []struct {
			query string
			want  []string
		}{
			{"", []string{"four", "three", "two", "one"}},
			{"To=%2B15551111111", []string{"three", "one"}},
			{"To=555-111-1111", []string{"three", "one"}},
			{"To=whatsapp:%2B15551111111", []string{"four"}},
			{"To=%2B15553333333", []string{}},
			{"From=%2B15005550006", []string{"two", "one"}},
			{"From=%2B15005550006&To=%2B15551111111", []string{"one"}},
			{"From=" + testService, []string{}}, // the filter knows senders, not services
			{"DateSent=2000-01-01", []string{"one"}},
			{"DateSent=2000-01-02", []string{"two"}}, // three and four have no date_sent yet
			{"DateSent=2000-01-02T00:00:01Z", []string{"two"}},
			{"DateSent=2000-01-02T00:00:02Z", []string{}},
			{"DateSent>=2000-01-02", []string{"two"}},
			{"DateSent%3E=2000-01-02T00:00:01Z", []string{"two"}},
			{"DateSent%3E=2000-01-02T00:00:02Z", []string{}},
			{"DateSent<=2000-01-02", []string{"one"}},
			{"DateSent%3C=2000-01-02T00:00:01Z", []string{"two", "one"}},
			{"DateSent%3E=2000-01-01&DateSent%3C=2000-01-02&To=%2B15552222222", []string{}},
		} {
			if got := bodies(t, s, test.query); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s: %v, want %v", test.query, got, test.want)
			}
		}
		time.Sleep(time.Second)
		if got, want := bodies(t, s, "DateSent=2000-01-02"), []string{"four", "three", "two"}; !reflect.DeepEqual(got, want) {
			t.Errorf("once sent: %v, want %v", got, want)
		}
		for _, query := range []string{"PageSize=0", "PageSize=x", "PageToken=x", "DateSent=yesterday"} {
			if status, body := call(t, s, "GET", messages+"?"+query, ""); status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", query, status, body)
			}
		}
	})
}

func TestPagesDoNotShift(t *testing.T) {
	s := newSim(t, Options{})
	for i := range 7 {
		send(t, s, sms("+15551111111", fmt.Sprint(i)))
	}
	next := messages + "?To=%2B15551111111&PageSize=3"
	var got [][]string
	for next != "" {
		_, body := call(t, s, "GET", next, "")
		page := decode[messagePage](t, body)
		var bodies []string
		for _, m := range page.Messages {
			bodies = append(bodies, m.Body)
		}
		got = append(got, bodies)
		if page.Page != len(got)-1 || page.PageSize != 3 || page.Start != 3*page.Page {
			t.Errorf("%+v", page)
		}
		if next = ""; page.NextPageURI != nil {
			next = *page.NextPageURI
		}
		send(t, s, sms("+15551111111", "meanwhile"))
	}
	if want := [][]string{{"6", "5", "4"}, {"3", "2", "1"}, {"0"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := bodies(t, s, "PageSize=2&Page=1"), []string{"meanwhile", "6"}; !reflect.DeepEqual(got, want) {
		t.Errorf("by number: %v, want %v", got, want)
	}
	_, body := call(t, s, "GET", messages+"?PageSize=5000", "")
	if page := decode[messagePage](t, body); page.PageSize != 1000 || len(page.Messages) != 10 {
		t.Errorf("page size %d, %d messages", page.PageSize, len(page.Messages))
	}
}

func TestListLagsAndFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, Options{Faults: Faults{Behaviour: Behaviour{ListLag: 2 * time.Second}}})
		sid := send(t, s, sms("+15551111111", "hi"))
		if got := bodies(t, s, ""); len(got) != 0 {
			t.Errorf("listed at once: %v", got)
		}
		if status, _ := call(t, s, "GET", strings.TrimSuffix(messages, ".json")+"/"+sid+".json", ""); status != 200 {
			t.Errorf("fetch lags: %d", status)
		}
		time.Sleep(2 * time.Second)
		if got := bodies(t, s, ""); len(got) != 1 {
			t.Errorf("not listed after the lag: %v", got)
		}
		if err := s.SetFaults(Faults{Behaviour: Behaviour{ListErrors: 1, LookupErrors: 1}}); err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{messages, "/v1/Content/" + TemplateText, "/v1/spaces/s/collections/users/profiles/user_id:a/traits"} {
			if status, body := call(t, s, "GET", target, ""); status != 500 {
				t.Errorf("%s: %d %s", target, status, body)
			}
		}
	})
}

// TestTwilioGo lets Twilio's own client read what the simulator says.
func TestTwilioGo(t *testing.T) {
	s := newSim(t, Options{})
	server := httptest.NewServer(s)
	defer server.Close()
	httpClient := server.Client()
	httpClient.Transport = redirect{strings.TrimPrefix(server.URL, "http://"), httpClient.Transport}
	base := &client.Client{Credentials: client.NewCredentials("SK1", "secret"), HTTPClient: httpClient}
	base.SetAccountSid(testAccount)
	twilio := api.NewApiServiceWithClient(base)

	var want []string
	for i := range 5 {
		params := (&api.CreateMessageParams{}).SetTo("+15551234567").SetMessagingServiceSid(testService).SetBody(fmt.Sprint("no. ", i))
		m, err := twilio.CreateMessage(params)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, *m.Sid)
	}
	listed, err := twilio.ListMessage((&api.ListMessageParams{}).SetTo("+15551234567").SetPageSize(2))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range listed {
		got = append(got, *m.Sid)
		if created, err := time.Parse(time.RFC1123Z, *m.DateCreated); err != nil || time.Since(created) > time.Minute {
			t.Errorf("date_created %q", *m.DateCreated)
		}
	}
	slices.Reverse(want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if m, err := twilio.FetchMessage(want[0], nil); err != nil || *m.Body != "no. 4" {
		t.Errorf("fetched %v, %v", m, err)
	}
	_, err = twilio.CreateMessage((&api.CreateMessageParams{}).SetTo("+15005550004").SetFrom("+15005550006").SetBody("hi"))
	if refused, ok := errors.AsType[*client.TwilioRestError](err); !ok || refused.Code != 21610 || refused.Status != 400 {
		t.Errorf("refused with %v", err)
	}
}

// redirect sends every request to one host, over plain HTTP.
type redirect struct {
	host string
	next http.RoundTripper
}

func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(context.WithoutCancel(req.Context()))
	req.URL.Scheme, req.URL.Host = "http", r.host
	return r.next.RoundTrip(req)
}
