package kafka

// Options are what a suite wants of its cluster. The zero value is one broker
// without security.
type Options struct {
	// Brokers is how many; 0 means 1. With three or more, topics have three
	// replicas and two must be in sync, unless their creation says otherwise.
	Brokers int
	// Secured adds listeners for SASL (plain, SCRAM and OAUTHBEARER), TLS, and
	// both.
	Secured bool
	// Properties are added to each broker's server.properties, over the
	// defaults of this package. Brokers of somebody else keep theirs.
	Properties map[string]string
	// Dir holds the brokers' data and logs; "" means a new temporary folder,
	// which Close removes.
	Dir string
}

// Credentials of the one user that the secured listeners know, for PLAIN,
// SCRAM-SHA-256 and SCRAM-SHA-512.
const (
	Username = "engage"
	Password = "engage-test-password"
)
