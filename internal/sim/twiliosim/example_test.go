package twiliosim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"engage-worker/internal/sim/twiliosim"
)

// A vendor that accepts a message and then fails to say so.
func Example() {
	sim, err := twiliosim.New(twiliosim.Options{Faults: twiliosim.Faults{
		Scopes: []twiliosim.Scope{{
			Senders:   []string{"+1500"},
			Behaviour: twiliosim.Behaviour{AcceptedThen500: 1},
		}},
	}})
	if err != nil {
		panic(err)
	}
	defer sim.Close()
	vendor, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}

	form := url.Values{"To": {"(555) 123-4567"}, "From": {"+15005550006"}, "Body": {"Hi Jane"}}
	request, err := http.NewRequest("POST", vendor.URL()+"/2010-04-01/Accounts/AC1/Messages.json", strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	request.SetBasicAuth("SK1", "secret")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	response.Body.Close()

	fmt.Println("the client saw", response.Status)
	for m := range sim.Messages() {
		fmt.Println("accepted:", m.To, m.Value("Body"), m.Fault)
	}
	// Output:
	// the client saw 500 Internal Server Error
	// accepted: +15551234567 Hi Jane acceptedThen500
}
