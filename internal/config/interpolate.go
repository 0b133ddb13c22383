package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// interpolate puts the references of n's text in place: ${NAME} is an
// environment variable, ${file:/path} a file's content without its last line
// break, $${ a literal ${. ${{ stays: it is Liquid after a dollar sign. What a
// reference holds is not looked at again.
func (r *reader) interpolate(n *node) {
	if !strings.Contains(n.text, "${") {
		return
	}
	var out strings.Builder
	rest := n.text
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
			r.fault(n, "a reference begins with ${ and has no end; write ${NAME}, or $${ for a literal ${")
			out.WriteString(rest[i:])
			rest = ""
			break
		}
		n.veiled = true
		if r.skipEnv {
			n.unknown = true
			out.WriteString(rest[i : i+3+len(reference)])
			rest = after
			continue
		}
		value, err := r.dereference(reference)
		if err != nil {
			r.fault(n, "%s", err)
		}
		r.warnOfEnds(n, reference, value)
		r.keepSecret(value)
		out.WriteString(value)
		rest = after
	}
	n.text = out.String() + rest
}

func (r *reader) dereference(reference string) (string, error) {
	if path, ok := strings.CutPrefix(reference, "file:"); ok {
		return readReference(path)
	}
	if !variableName.MatchString(reference) {
		return "", errors.New("${...} takes the name of an environment variable (letters, digits and _) or file:/path; write $${ for a literal ${")
	}
	value, ok := r.lookupEnv(reference)
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
		return fail(pathless(err))
	}
	if !info.Mode().IsRegular() {
		return fail(errors.New("it isn't a regular file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(pathless(err))
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	switch {
	case err != nil:
		return fail(pathless(err))
	case len(content) > maxFileSize:
		return fail(fmt.Errorf("it is larger than %d MiB", maxFileSize>>20))
	case !utf8.Valid(content):
		return fail(errors.New("it isn't UTF-8 text"))
	}
	text := strings.TrimSuffix(string(content), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

// keepSecret remembers a text that no message of the compiler may hold.
// Shorter ones would veil letters and digits that are there by chance.
func (r *reader) keepSecret(text string) {
	const shortest = 4
	if len(text) >= shortest {
		r.secrets = append(r.secrets, text)
	}
}

// veiler replaces the secrets, as they are or as Go quotes them, the longest
// first.
func veiler(secrets []string) *strings.Replacer {
	var texts []string
	for _, s := range secrets {
		quoted := strconv.Quote(s)
		texts = append(texts, s, quoted[1:len(quoted)-1])
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(texts))
	for _, s := range slices.Compact(texts) {
		pairs = append(pairs, s, veil)
	}
	return strings.NewReplacer(pairs...)
}
