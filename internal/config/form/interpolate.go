package form

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxFileSize bounds the configuration file and each ${file:...}.
const MaxFileSize = 4 << 20

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// IsVariable reports whether a reference can name such a variable of the environment.
func IsVariable(name string) bool { return variableName.MatchString(name) }

// interpolate puts the references of n's text in place: ${NAME} is an
// environment variable, ${file:/path} a file's content without its last line
// break, $${ a literal ${. ${{ stays: it is Liquid after a dollar sign. What a
// reference holds is not looked at again.
func (r *Reader) interpolate(n *Node) {
	if !strings.Contains(n.Text, "${") {
		return
	}
	var out strings.Builder
	rest := n.Text
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			break
		}
		if i > 0 && rest[i-1] == '$' {
			out.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		if strings.HasPrefix(rest[i:], "${{") {
			out.WriteString(rest[:i+3])
			rest = rest[i+3:]
			continue
		}
		out.WriteString(rest[:i])
		reference, after, closed := strings.Cut(rest[i+2:], "}")
		if !closed {
			r.Fault(n, "a reference begins with ${ and has no end; write ${NAME}, or $${ for a literal ${")
			out.WriteString(rest[i:])
			rest = ""
			break
		}
		n.Veiled = true
		if r.SkipEnv {
			n.Unknown = true
			out.WriteString(rest[i : i+3+len(reference)])
			rest = after
			continue
		}
		value, err := r.dereference(reference)
		if err != nil {
			r.Fault(n, "%s", err)
		}
		r.warnOfEnds(n, reference, value)
		r.keepSecret(value)
		out.WriteString(value)
		rest = after
	}
	n.Text = out.String() + rest
}

func (r *Reader) dereference(reference string) (string, error) {
	if path, ok := strings.CutPrefix(reference, "file:"); ok {
		return readReference(path)
	}
	if !IsVariable(reference) {
		return "", errors.New("${...} takes the name of an environment variable (letters, digits and _) or file:/path; write $${ for a literal ${")
	}
	value, ok := r.LookupEnv(reference)
	switch {
	case !ok:
		return "", fmt.Errorf("the environment variable %s isn't set; set it, or write $${ for a literal ${", reference)
	case !utf8.ValidString(value):
		return "", fmt.Errorf("the environment variable %s isn't UTF-8 text", reference)
	}
	return value, nil
}

// readReference reads the file of a ${file:...}. A relative path begins at
// the working directory.
func readReference(path string) (string, error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("${file:%s} can't be read: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fail(Pathless(err))
	}
	if !info.Mode().IsRegular() {
		return fail(errors.New("it isn't a regular file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(Pathless(err))
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	switch {
	case err != nil:
		return fail(Pathless(err))
	case len(content) > MaxFileSize:
		return fail(fmt.Errorf("it is larger than %d MiB", MaxFileSize>>20))
	case !utf8.Valid(content):
		return fail(errors.New("it isn't UTF-8 text"))
	}
	text := strings.TrimSuffix(string(content), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

// keepSecret remembers a text that no message of the compiler may hold.
// Shorter ones would veil letters and digits that are there by chance.
func (r *Reader) keepSecret(text string) {
	const shortest = 4
	if len(text) >= shortest {
		r.secrets = append(r.secrets, text)
	}
}

// Veiler replaces what no message may hold, as it is or as Go quotes them, the longest
// first.
func (r *Reader) Veiler() *strings.Replacer {
	var texts []string
	for _, s := range r.secrets {
		quoted := strconv.Quote(s)
		texts = append(texts, s, quoted[1:len(quoted)-1])
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(texts))
	for _, s := range slices.Compact(texts) {
		pairs = append(pairs, s, Veil)
	}
	return strings.NewReplacer(pairs...)
}

// Pathless is err without the path that an fs.PathError repeats.
func Pathless(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
