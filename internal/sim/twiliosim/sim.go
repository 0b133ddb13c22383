package twiliosim

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Sim. The zero value is a vendor without faults that
// accepts any credentials and keeps every message.
type Options struct {
	// Accounts are the accounts known: account SID -> user name (the account
	// SID or an API key's SID) -> password. Nil accepts any account with any
	// user name and password that aren't empty.
	Accounts map[string]map[string]string `yaml:"accounts"`

	// ProfileTokens are the profile API's access tokens. Nil accepts any.
	ProfileTokens []string `yaml:"profileTokens"`

	// Templates are content templates besides the built-in ones: SID ->
	// content type ("twilio/text") -> the type's document.
	Templates map[string]map[string]any `yaml:"templates"`

	// Profiles are users' traits. Other users get traits made up from their
	// id, always the same, or a 404 with UnknownProfiles.
	Profiles        map[string]map[string]any `yaml:"profiles"`
	UnknownProfiles bool                      `yaml:"unknownProfiles"`

	// SentAfter is the time from acceptance until a message is "sent" and has
	// a date_sent; DeliveredAfter, until it is "delivered". Defaults: 1 s, 3 s.
	SentAfter      time.Duration `yaml:"sentAfter"`
	DeliveredAfter time.Duration `yaml:"deliveredAfter"`

	// ClockOffset is added to every time that the vendor tells: its clock is
	// not its customers'. Times of Message are the machine's all the same.
	ClockOffset time.Duration `yaml:"clockOffset"`

	// ShortDomain is what links are shortened to. Default: twil.example.
	ShortDomain string `yaml:"shortDomain"`

	// SmartEncoding shows typographic characters of bodies as plain ones,
	// as a messaging service with that feature does.
	SmartEncoding bool `yaml:"smartEncoding"`

	// Keep bounds memory: 0 keeps every message, n > 0 at least the latest n,
	// and less than 0 none, so that only counters remain.
	Keep int `yaml:"keep"`

	// AuthToken is the account's, with which status callbacks are signed. Without
	// one they aren't.
	AuthToken string `yaml:"authToken"`

	// CallbackHosts are the names of hosts beyond loopback that status callbacks may
	// be posted to.
	CallbackHosts []string `yaml:"callbackHosts"`

	// Course is what becomes of messages, to start with.
	Course Course `yaml:"course"`

	// Faults are those to start with.
	Faults Faults `yaml:"faults"`

	// OnAccepted is told of each message after it was recorded and before
	// the answer goes out. It is called from many goroutines at once.
	OnAccepted func(Message) `yaml:"-"`
}

// Sim is a simulated Twilio. It is an [http.Handler] and safe for concurrent
// use. Its goroutines are those of status callbacks, which end with Close;
// requests that it lets wait, wait in their connection's.
type Sim struct {
	opts     Options
	instance [8]byte // the first half of this Sim's SIDs
	requests atomic.Uint64
	faults   atomic.Pointer[rules]
	course   atomic.Pointer[Course]
	closed   chan struct{}
	closing  sync.Once

	// Status callbacks.
	callbackClient *http.Client
	calling        sync.WaitGroup
	epoch          atomic.Uint64   // counts resets, which callbacks don't outlive
	life           context.Context // ends with Close
	die            context.CancelFunc

	mu        sync.Mutex // guards the following
	store     *store
	counters  counters
	templates map[string]map[string]any
	profiles  map[string]map[string]any

	listening sync.Mutex // guards listeners and the order of SetFaults
	listeners []*Listener
}

// New makes a Sim, or tells what is wrong with opts.Faults.
func New(opts Options) (*Sim, error) {
	if opts.SentAfter == 0 {
		opts.SentAfter = time.Second
	}
	if opts.DeliveredAfter == 0 {
		opts.DeliveredAfter = 3 * time.Second
	}
	if opts.ShortDomain == "" {
		opts.ShortDomain = "twil.example"
	}
	s := &Sim{
		opts:      opts,
		closed:    make(chan struct{}),
		store:     newStore(opts.Keep),
		templates: builtinTemplates(),
		profiles:  make(map[string]map[string]any),
	}
	s.callbackClient = callbackClient(opts.CallbackHosts)
	s.life, s.die = context.WithCancel(context.Background())
	_, _ = rand.Read(s.instance[:]) // never fails
	s.counters.reset()
	maps.Copy(s.templates, opts.Templates)
	maps.Copy(s.profiles, opts.Profiles)
	if err := s.SetCourse(opts.Course); err != nil {
		return nil, err
	}
	if err := s.SetFaults(opts.Faults); err != nil {
		return nil, err
	}
	return s, nil
}

// Close lets go of every request that waits and closes the listeners. What
// was accepted can still be read.
func (s *Sim) Close() {
	s.closing.Do(func() {
		close(s.closed)
		s.die()
	})
	s.listening.Lock()
	listeners := s.listeners
	s.listeners = nil
	s.listening.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	s.calling.Wait()
	s.callbackClient.CloseIdleConnections()
}

// Reset forgets all messages and counters. Faults, templates and profiles stay.
func (s *Sim) Reset() {
	s.epoch.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = newStore(s.opts.Keep, s.store.next)
	s.counters.reset()
}

// SetTemplate adds or replaces the content template sid: content type
// ("twilio/text") -> the type's document.
func (s *Sim) SetTemplate(sid string, types map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates[sid] = types
}

// SetProfile sets the traits of the user id.
func (s *Sim) SetProfile(id string, traits map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.profiles[id] = traits
}

const (
	accountsPrefix = "/2010-04-01/Accounts/"
	contentPrefix  = "/v1/Content/"
	spacesPrefix   = "/v1/spaces/"
	adminPrefix    = "/_sim/"
)

// ServeHTTP serves the vendor's APIs and the simulator's own.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath() // ids may hold escaped slashes
	switch {
	case strings.HasPrefix(path, adminPrefix):
		s.serveAdmin(w, r)
	case strings.HasPrefix(path, accountsPrefix):
		s.serveAccount(w, r, strings.TrimPrefix(path, accountsPrefix))
	case strings.HasPrefix(path, contentPrefix):
		s.serveContent(w, r, strings.TrimPrefix(path, contentPrefix))
	case strings.HasPrefix(path, servicesPrefix):
		s.serveService(w, r, strings.TrimPrefix(path, servicesPrefix))
	case strings.HasPrefix(path, spacesPrefix):
		s.serveProfile(w, r, strings.TrimPrefix(path, spacesPrefix))
	default:
		s.refuse(w, r, notFound(path))
	}
}

// serveAccount routes what is below an account: rest is "AC.../Messages.json"
// or "AC.../Messages/SM....json".
func (s *Sim) serveAccount(w http.ResponseWriter, r *http.Request, rest string) {
	account, rest, _ := strings.Cut(rest, "/")
	sid, one := strings.CutPrefix(rest, "Messages/")
	switch {
	case rest == "Messages.json" && r.Method == http.MethodPost:
		s.create(w, r, account)
	case rest == "Messages.json" && r.Method == http.MethodGet:
		s.list(w, r, account)
	case one && r.Method == http.MethodGet && strings.HasSuffix(sid, ".json"):
		s.fetch(w, r, account, strings.TrimSuffix(sid, ".json"))
	case rest == "IncomingPhoneNumbers.json" && r.Method == http.MethodGet:
		s.ownNumbers(w, r, account, "incoming_phone_numbers", "phone_number", r.URL.Query().Get("PhoneNumber"))
	case rest == "SMS/ShortCodes.json" && r.Method == http.MethodGet:
		s.ownNumbers(w, r, account, "short_codes", "short_code", r.URL.Query().Get("ShortCode"))
	case one || rest == "Messages.json":
		s.refuse(w, r, apiError{http.StatusMethodNotAllowed, 20004, "Method not allowed"})
	default:
		s.refuse(w, r, notFound(r.URL.EscapedPath()))
	}
}

// authorised checks basic authentication against the account.
func (s *Sim) authorised(r *http.Request, account string) bool {
	user, password, ok := r.BasicAuth()
	if !ok || user == "" || password == "" {
		return false
	}
	if s.opts.Accounts == nil {
		// Twilio's user is the account itself or a key of it.
		return !strings.HasPrefix(user, "AC") || user == account
	}
	want, ok := s.opts.Accounts[account][user]
	return ok && want == password
}

// answer writes a document.
func (s *Sim) answer(w http.ResponseWriter, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil { // only a template or traits set by a caller can do this
		status, body = http.StatusInternalServerError, []byte(`{"code":20500,"message":"Internal Server Error","status":500}`)
	}
	s.answerBytes(w, status, body)
}

func (s *Sim) answerBytes(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Twilio-Request-Id"] = []string{s.id("RQ", s.requests.Add(1))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone; that is its business
	s.mu.Lock()
	s.counters.statuses[status]++
	s.mu.Unlock()
}

var jsonType = []string{"application/json;charset=utf-8"}

// odd scatters sequence numbers over the second half of a SID; being odd, it
// has an inverse, so a SID leads back to its message without a table.
const (
	odd        uint64 = 0x9e3779b97f4a7c15
	oddInverse uint64 = 0xf1de83e19937733d
)

// id makes a SID of this Sim: the prefix and 32 hexadecimal digits.
func (s *Sim) id(prefix string, n uint64) string {
	var raw [16]byte
	copy(raw[:8], s.instance[:])
	binary.BigEndian.PutUint64(raw[8:], n*odd)
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 34)
	text = append(text, prefix...)
	for _, b := range raw {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}

// segment unescapes one segment of a path.
func segment(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
