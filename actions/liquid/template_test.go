package liquid

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"engage-worker/actions/jsvalue"
)

func jane() map[string]any {
	return map[string]any{"profile": map[string]any{
		"user_id": "jane",
		"traits": map[string]any{
			"first_name": "Jane",
			"orders":     7, // not a float64, as no decoder would have it
			"tags":       []any{"a", "b", "c"},
			"address":    map[string]any{"zip": "94103", "street": "1 Main St"},
		},
	}}
}

// render renders with a budget of its own.
func render(t *Template, vars any) (string, error) {
	return t.render(NewBudget(context.Background()), nil, vars, time.Now)
}

func TestFaultsHaveAPlace(t *testing.T) {
	for _, test := range []struct {
		source string
		want   Error
	}{
		{"Hi {{ profile.traits.first_name", Error{1, 4, `output "{{ profile.traits.first_name" is not closed with }}`}},
		{"Hi\n  {% if a", Error{2, 3, `tag "{% if a" is not closed with %}`}},
		{"{{profile.traits.first_name$}}", Error{1, 28, `"$" is not expected here; filters start with |`}},
		{"{% if %}x{% endif %}", Error{1, 6, `a value is expected here, not ""`}},
		{"{{ a | shout }}", Error{1, 8, `there is no filter "shout"`}},
		{"{{ a, b }}", Error{1, 5, `", b" is not expected here; filters start with |`}},
		{"{% if a %}{% else %}{% elsif b %}{% endif %}", Error{1, 21, "elsif is not expected behind else"}},
		{"{{ (1, 3) }}", Error{1, 6, `a range's .. is expected here, not ", 3)"`}},
		{"{{ (1..3 }}", Error{1, 9, `a range is closed with ), not with ""`}},
		{"ü\n{% shout %}", Error{2, 1, `there is no tag "shout"`}},
		{"a{% for x in y %}{% if x %}", Error{1, 18, "if is not closed with {% endif %}"}},
		{"{% if a %}{% endfor %}{% endif %}", Error{1, 11, "endfor is not expected here"}},
		{"{% else %}", Error{1, 1, "else is not expected here"}},
		{"{% if a %}{% else if b %}{% endif %}", Error{1, 11, `else takes nothing behind it, not "if b"; write elsif`}},
		{"{% if a %}{% else b == 1 %}{% endif %}", Error{1, 11, `else takes nothing behind it, not "b == 1"`}},
		{"{% if a %}{% endif a %}", Error{1, 11, `endif takes nothing behind it, not "a"`}},
		{"{% for a in b %}{% endfor a %}", Error{1, 17, `endfor takes nothing behind it, not "a"`}},
		{"{% case a %}{% when 1 %}{%- else 2 -%}{% endcase %}", Error{1, 25, `else takes nothing behind it, not "2"`}},
		{"{% capture a %}{% endcapture a %}", Error{1, 16, `endcapture takes nothing behind it, not "a"`}},
		{"{% raw %}{% endraw a %}", Error{1, 10, `endraw takes nothing behind it, not "a"`}},
		{"{% comment %}{% endcomment a %}", Error{1, 14, `endcomment takes nothing behind it, not "a"`}},
		{"{% liquid\n if a\n else b\n endif\n%}", Error{3, 2, `else takes nothing behind it, not "b"`}},
		{"{% liquid\n if a\n%}{% endif %}", Error{2, 2, "if is not closed with {% endif %}"}},
		{"{% raw %}{{", Error{1, 1, "raw is not closed with {% endraw %}"}},
		{"{% comment %}", Error{1, 1, "comment is not closed with {% endcomment %}"}},
		{"{% include 'x' %}", Error{1, 1, `tag "include" is not available: there are no other templates to read`}},
		{"{% liquid\n  echo 1\n  shout\n%}", Error{3, 3, `there is no tag "shout"`}},
		{"{% assign x 1 %}", Error{1, 13, `assign needs = after the variable, not "1"`}},
		{"{% for x of y %}{% endfor %}", Error{1, 1, `for needs "item in items"`}},
		{strings.Repeat("{% if a %}", 101), Error{1, 1001, "blocks nest more than 100 deep"}},
		{"{{ " + strings.Repeat("a[", 101), Error{1, 1, `output "{{ a[a[a[a[a[a[a[a[a[a[a[a[a[..." is not closed with }}`}},
		{"{{ " + strings.Repeat("a[", 101) + "}}", Error{1, 204, "values nest more than 100 deep"}},
	} {
		_, err := Compile(test.source)
		var got *Error
		if !errors.As(err, &got) || *got != test.want {
			t.Errorf("%.40q: got %v, want %v", test.source, err, &test.want)
		}
	}
}

func TestRenderingIsBounded(t *testing.T) {
	for _, source := range []string{
		"{% for i in (1..1000000000) %}x{% endfor %}",
		"{% for i in (1..1000000) %}{% for j in (1..1000000) %}{% endfor %}{% endfor %}",
		"{% for i in (1..3000) %}{% for j in (1..3000) %}{% endfor %}{% endfor %}",
		"{{ (1..1000000000) | size }}",
		"{{ (1..profile.traits.huge) | join }}",
		"{% assign s = 'x' %}{% for i in (1..100) %}{% assign s = s | append: s %}{% endfor %}{{ s }}",
		"{% assign s = 'xxxxxxxxxx' %}{% for i in (1..100) %}{% assign s = s | replace: 'x', s %}{% endfor %}",
		"{% assign a = 'a,b' | split: ',' %}{% for i in (1..100) %}{% assign a = a | concat: a %}{% endfor %}",
		"{% for i in (1..100) %}{% capture s %}{{ s }}{{ s }}xxxxxxxx{% endcapture %}{% endfor %}",
		"{% assign a = (1..1000) %}{% for i in a %}{{ a | join: 'xxxxxxxxxx' }}{% endfor %}",
		"{% assign a = 'x' | split: '' %}{% for i in (1..60) %}{% assign a = a | push: a %}{% endfor %}{{ a }}",
		"{% assign a = 'x' | split: '' %}{% for i in (1..60) %}{% assign a = a | push: a %}{% endfor %}{{ a | json }}",
		"{% assign a = 'x' | split: '' %}{% for i in (1..16) %}{% assign a = a | push: a | unshift: a %}{% endfor %}{% if a > 1 %}{% endif %}",
		"{% tablerow i in (1..1000000000) %}{% endtablerow %}",
		"{{ 'now' | date: '%1000000000d' }}",
		"{% assign a = (1..10000) %}{% for i in a %}{% if a contains -1 %}{% endif %}{% endfor %}",
		"{% assign a = (1..5000) %}{% for i in a %}{{ a | sort | size }}{% endfor %}",
	} {
		vars := map[string]any{"profile": map[string]any{"traits": map[string]any{"huge": 1e300}}}
		template, err := Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		s, err := render(template, vars)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: rendered %d bytes, want an error", source, len(s))
		}
	}
}

func TestGoValuesAsVariables(t *testing.T) {
	for source, want := range map[string]string{
		"{{ profile.traits.orders | plus: 1 }} {{ profile.traits.orders }}":                             "8 7",
		"{% for pair in profile.traits.address %}{{ pair[0] }}={{ pair[1] }} {% endfor %}":              "street=1 Main St zip=94103 ",
		"{{ profile.traits.address.size }} {{ profile.traits.tags.size }} {{ profile.traits.address }}": "2 3 [object Object]",
		"{% if profile.traits.address == profile.traits.address %}same{% endif %}":                      "same",
		"{% assign profile = 1 %}{{ profile }}":                                                         "1",
	} {
		template, err := Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		vars := jane()
		if got, err := render(template, vars); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
		}
	}
}

func TestNow(t *testing.T) {
	template, err := Compile(`{{ "now" | date: "%Y-%m-%d %H:%M:%S.%L %Z" }}, {{ "today" | date: "%s" }}`)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 14, 10, 9, 26, 535_897_932, time.FixedZone("", -5*3600))
	got, err := template.render(NewBudget(t.Context()), nil, nil, func() time.Time { return now })
	if want := "2026-03-14 15:09:26.535 UTC, 1773500966"; got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestStatic(t *testing.T) {
	for source, want := range map[string]bool{
		"":                                 true,
		"Hello } % {":                      true,
		"a{% raw %}{{ b }}{% endraw %}":    true,
		"a{% comment %}b{% endcomment %}":  true,
		"{{ 1 }}":                          false,
		"{% if false %}{% endif %}":        false,
		"{% assign a = 1 %}":               false,
		"{% liquid\n assign a = 1 %}":      false,
		"100% off {{ '%' }}":               false,
		"{%- comment -%} {%- endcomment%}": true,
	} {
		template, err := Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		if got := template.Static(); got != want {
			t.Errorf("%q: static is %t", source, got)
		}
	}
}

func TestDirectiveDisablesWhatTakesLong(t *testing.T) {
	for source, want := range map[string]string{
		"{% for i in (1..2) %}{% endfor %}":   `Liquid, line 1, column 1: tag "for" is not available in @liquid`,
		"{% case 1 %}{% endcase %}":           `Liquid, line 1, column 1: tag "case" is not available in @liquid`,
		"{{ a | map: 'b' }}":                  `Liquid, line 1, column 8: there is no filter "map"`,
		"{{ a | where: 'b' | upcase }}":       "",
		"{% if a %}{{ a | join }}{% endif %}": "",
	} {
		_, err := CompileDirective(source)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
}

func TestConcurrentRendering(t *testing.T) {
	cache := NewCache(2)
	vars := jane()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, source := range []string{
				"{% for t in profile.traits.tags %}{% cycle 'x', 'y' %}{{ t }}{% increment n %}{% endfor %}",
				"{% assign a = profile.traits.tags | reverse %}{{ a }}{{ profile.traits.tags | sort }}",
				"{% capture c %}{{ profile.user_id }}{% endcapture %}{{ c }}",
			} {
				template, err := cache.get(source)
				if err != nil {
					t.Error(err)
					return
				}
				want, _ := render(template, jane())
				if got, err := render(template, vars); got != want || err != nil {
					t.Errorf("got %q, %v, want %q", got, err, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestCache(t *testing.T) {
	cache := NewCache(1)
	get := func(source string) *Template {
		t.Helper()
		template, err := cache.get(source)
		if err != nil {
			t.Fatal(err)
		}
		return template
	}
	a := get("a")
	if get("a") != a {
		t.Error("a was compiled twice")
	}
	get("b")
	if get("a") == a {
		t.Error("a is still there, behind b in a cache of one")
	}
	_, first := cache.get("{{")
	if _, again := cache.get("{{"); first == nil || !errors.Is(again, first) {
		t.Errorf("got %v, then %v", first, again)
	}
	long := strings.Repeat("x", maxCached+1)
	if once, again := get(long), get(long); once == again {
		t.Error("a source that long was kept")
	}
}

func TestSliceOfWhatAnotherFilterMade(t *testing.T) {
	// Filters must not write into arrays that others read.
	template, err := Compile(`{% assign a = "1,2,3" | split: "," %}{% assign b = a | pop %}{% assign c = b | push: "x" %}{{ a }} {{ b }} {{ c }}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := render(template, nil); got != "123 12 12x" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzRender looks for panics, and for time, memory and output beyond the
// bounds, in whatever compiles, with whatever data in it.
func FuzzRender(f *testing.F) {
	_, expected := readLiquidJS(f)
	for _, row := range expected.Rows {
		f.Add(row.Template, "{{ profile.traits | json }}", uint8(0))
	}
	for _, source := range attacks {
		f.Add(source, "{% if", uint8(40))
	}
	variables := []any{attackVars(f)}
	vars, err := jsvalue.Decode(expected.Vars)
	if err != nil {
		f.Fatal(err)
	}
	variables = append(variables, vars)
	f.Fuzz(func(t *testing.T, text, data string, at uint8) {
		var b Builder
		text = strings.ToValidUTF8(text, "?")
		cut := min(int(at), len(text))
		b.Fixed(text[:cut])
		if cut > 0 {
			b.Data(data)
		}
		b.Fixed(text[cut:])
		source := b.Source()
		template, err := CompileSource(source)
		if err != nil {
			var known *Error
			if !errors.As(err, &known) || known.Line < 1 || known.Column < 1 {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		for _, vars := range variables {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			budget := NewBudget(t.Context())
			s, err := template.Render(budget, &source, vars)
			runtime.ReadMemStats(&after)
			if made := after.TotalAlloc - before.TotalAlloc; made > 150<<20 {
				t.Fatalf("%q: makes %d MiB", text, made>>20)
			}
			var known *Error
			if err != nil && (!errors.As(err, &known) || s != "") { // an *InterruptedError is a rendering of over 2 s
				t.Fatalf("%q: %q, %#v", text, s, err)
			}
			if len(s) > maxOutput+64 {
				t.Fatalf("%q: %d bytes", text, len(s))
			}
		}
	})
}

func BenchmarkRenderBody(b *testing.B) {
	template, err := Compile("Hi {{ profile.traits.first_name | default: 'there' }}, welcome!")
	if err != nil {
		b.Fatal(err)
	}
	vars := jane()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := render(template, vars); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRenderLoop(b *testing.B) {
	template, err := Compile("{% for t in profile.traits.tags %}{{ forloop.index }}. {{ t | upcase }}{% unless forloop.last %}, {% endunless %}{% endfor %}")
	if err != nil {
		b.Fatal(err)
	}
	vars := jane()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := render(template, vars); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile("Hi {{ profile.traits.first_name | default: 'there' }}, welcome!"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCache(b *testing.B) {
	cache := NewCache(10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.get("Hi {{ profile.traits.first_name | default: 'there' }}, welcome!"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestStrftimeOfYearsBeyondFourDigits(t *testing.T) {
	for ms, want := range map[float64]string{8.64e15: "275760", -8.64e15: "-271821"} {
		at, ok := dateAt(ms)
		s, err := date{Time: at}.strftime(&state{budget: NewBudget(t.Context())}, "%Y")
		if !ok || err != nil || s != want {
			t.Errorf("%g: got %q, %t, %v, want %q", ms, s, ok, err, want)
		}
	}
}
