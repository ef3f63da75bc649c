package auth

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// Bounds of what it may cost to check one password: a slip in the file, or a file from
// elsewhere, must not stop the server. They are far above all recommendations.
const (
	maxIterations = 1_000_000
	maxBcrypt     = 15
	maxMemory     = 256 << 10 // KiB
	maxPasses     = 32
	maxLanes      = 16
)

// A cryptSecret is a string of crypt(3) or of its kin.
type cryptSecret struct {
	digest algorithm.Digest
	price  int64
}

// A cryptForm is a row of the table of those that are known: how they look, which package checks
// them, and what that costs. parameter are the numbers in form, 0 for one that is left out.
type cryptForm struct {
	form   *regexp.Regexp
	decode algorithm.DecodeFunc
	price  func(parameter []int64) (int64, error)
}

var errCost = errors.New("costs more to check than is allowed")

var cryptForms = []cryptForm{
	{
		regexp.MustCompile(`^\$5\$(?:rounds=(\d{1,9})\$)?[^$:]{0,16}\$[./0-9A-Za-z]{43}$`),
		shacrypt.Decode, shaPrice,
	},
	{
		regexp.MustCompile(`^\$6\$(?:rounds=(\d{1,9})\$)?[^$:]{0,16}\$[./0-9A-Za-z]{86}$`),
		shacrypt.Decode, shaPrice,
	},
	{
		regexp.MustCompile(`^\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{53}$`),
		bcrypt.Decode, bcryptPrice,
	},
	{
		regexp.MustCompile(`^\$argon2id?\$v=19\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$[+/0-9A-Za-z]{11,86}\$[+/0-9A-Za-z]{22,172}$`),
		argon2.Decode, argonPrice,
	},
}

// crypt is a scheme of such strings that begin with prefix.
func crypt(prefix string) func([]byte) (secret, error) {
	return func(octets []byte) (secret, error) {
		s := string(octets)
		if strings.HasPrefix(s, prefix) {
			for _, f := range cryptForms {
				if match := f.form.FindStringSubmatch(s); match != nil {
					return f.parse(s, match[1:])
				}
			}
		}
		return nil, errors.New("not of a form that is known")
	}
}

func (f cryptForm) parse(s string, numbers []string) (secret, error) {
	parameters := make([]int64, len(numbers))
	for i, n := range numbers {
		parameters[i], _ = strconv.ParseInt("0"+n, 10, 64) // nine digits at most
	}
	price, err := f.price(parameters)
	if err != nil {
		return nil, err
	}
	digest, err := f.decode(s)
	if err != nil {
		return nil, errors.New("not of a form that is known") // the error quotes the string
	}
	return cryptSecret{digest, price}, nil
}

func shaPrice(p []int64) (int64, error) {
	rounds := p[0]
	if rounds == 0 {
		rounds = 5000
	}
	if rounds < 1000 || rounds > maxIterations {
		return 0, fmt.Errorf("rounds are not between 1000 and %d", maxIterations)
	}
	return rounds * 700, nil
}

func bcryptPrice(p []int64) (int64, error) {
	if p[0] < 4 || p[0] > maxBcrypt {
		return 0, fmt.Errorf("cost is not between 4 and %d", maxBcrypt)
	}
	return 55_000 << p[0], nil
}

func argonPrice(p []int64) (int64, error) {
	memory, passes, lanes := p[0], p[1], p[2]
	switch {
	case memory > maxMemory || passes > maxPasses || lanes > maxLanes || memory*passes > 4*maxMemory:
		return 0, errCost
	case passes < 1 || lanes < 1 || memory < 8*lanes: // RFC 9106 §3.1
		return 0, errors.New("parameters are not those of Argon2")
	}
	return memory * passes * 1000, nil
}

func (s cryptSecret) matches(password string) bool { return s.digest.Match(password) }

func (s cryptSecret) cost() int64 { return s.price }
