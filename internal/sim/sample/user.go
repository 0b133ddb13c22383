package sample

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The regions of users.
const (
	RegionUS = "us-west-2"
	RegionEU = "eu-west-1"
)

// user is one of the people of a seed. Everything about them follows from
// the seed and their index, so that they stay the same from event to event.
type user struct {
	id, firstName, lastName, email, phone, region string

	city     city
	hasEmail bool
}

func newUser(seed uint64, index int, europe float64) user {
	r := rand.New(rand.NewPCG(seed, uint64(index)))
	u := user{
		id:        fmt.Sprintf("usr_%06d", index),
		firstName: firstNames[r.IntN(len(firstNames))],
		lastName:  lastNames[r.IntN(len(lastNames))],
		phone:     phoneNumber(index),
		hasEmail:  r.IntN(3) == 0,
	}
	u.email = strings.ToLower(fmt.Sprintf("user%d@example.com", index))
	if r.Float64() < europe {
		u.region, u.city = RegionEU, europeanCities[r.IntN(len(europeanCities))]
	} else {
		u.region, u.city = RegionUS, americanCities[r.IntN(len(americanCities))]
	}
	return u
}

// areaCodes are some of the United States'.
var areaCodes = [...]int{
	201, 202, 203, 205, 206, 207, 208, 210, 212, 213, 214, 215, 216, 217, 218, 219,
	301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318,
	401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 423,
	501, 502, 503, 504, 505, 507, 508, 509, 510, 512, 513, 515, 516, 517, 518, 520,
}

// MaxUsers is how many users have a number of their own.
const MaxUsers = len(areaCodes) * (9_900 - 1)

// phoneNumber is the number of the user with that index, below MaxUsers, in
// E.164. Lines 0100 to 0199 of exchange 555 are set aside for fiction; those
// come first. 1212 is directory assistance, and left out.
func phoneNumber(index int) string {
	line := 100 + index/len(areaCodes)
	if line >= 1212 {
		line++
	}
	return fmt.Sprintf("+1%d555%04d", areaCodes[index%len(areaCodes)], line)
}

var firstNames = [...]string{
	"Jane", "Zoë", "José", "Jürgen", "Siobhán", "Łukasz", "Amélie", "Søren", "Chloé", "Björn",
	"María", "Ana", "Olga", "Dmitri", "Mehmet", "Ağlaia", "太郎", "Nguyễn", "Fatima", "Noah",
	"Emma", "Liam", "Ava", "Lucas", "Inês", "Renée", "Åsa", "Iva", "Tomáš", "D'Arcy",
}

var lastNames = [...]string{
	"Doe", "Müller", "García", "O'Neil", "Nowak", "Łuczak", "Lefèvre", "Jørgensen", "Öztürk", "Novák",
	"Smith", "Jones", "Ivanova", "Silva", "Conceição", "山田", "Trần", "Khan", "Rossi", "Virtanen",
	"Andersson", "Kowalczyk", "Dupré", "Peña", "van der Berg", "McDonald", "Nuñez", "Ó Briain", "Weiß", "Lee",
}

type city struct{ name, locale, zone string }

var americanCities = [...]city{
	{"San Francisco", "en-US", "America/Los_Angeles"},
	{"San José", "es-US", "America/Los_Angeles"},
	{"New York", "en-US", "America/New_York"},
	{"Chicago", "en-US", "America/Chicago"},
	{"Denver", "en-US", "America/Denver"},
	{"Montréal", "fr-CA", "America/Toronto"},
	{"São Paulo", "pt-BR", "America/Sao_Paulo"},
}

var europeanCities = [...]city{
	{"Zürich", "de-CH", "Europe/Zurich"},
	{"Dublin", "en-IE", "Europe/Dublin"},
	{"Kraków", "pl-PL", "Europe/Warsaw"},
	{"Málaga", "es-ES", "Europe/Madrid"},
	{"København", "da-DK", "Europe/Copenhagen"},
	{"İstanbul", "tr-TR", "Europe/Istanbul"},
	{"Αθήνα", "el-GR", "Europe/Athens"},
	{"Orléans", "fr-FR", "Europe/Paris"},
}
