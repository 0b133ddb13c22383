package liquid

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"engage-worker/actions/jsvalue"
)

// attackVars is what an event of some 900 kB can bring.
func attackVars(t testing.TB) any {
	t.Helper()
	v, err := jsvalue.Decode(`{"profile":{"traits":{"items":[` + strings.Repeat("{},", 60_000) + `0],"name":"` + strings.Repeat(" ", 300_000) +
		`","wide":"` + strings.Repeat("ä", 60_000) + `","b":"` + strings.Repeat("b", 80_000) + `a","nested":` +
		strings.Repeat("[", 400) + "[" + strings.Repeat("1,", 40_000) + "1]" + strings.Repeat("]", 400) + `,"lt":"` + strings.Repeat("<", 90_000) + `",
		"words":[` + strings.Repeat(`"same text to compare, and long enough",`, 2000) + `""]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// attacks are templates that make much of little, or cost more than they seem to.
var attacks = []string{
	"{% for p in profile.traits.items %}{% if profile.traits.name == blank %}{% endif %}{% endfor %}",
	"{% for p in profile.traits.items %}{% if profile.traits.name == empty %}{% endif %}{% endfor %}",
	"{% for p in profile.traits.items %}{{ profile.traits.name.size }}{% endfor %}",
	"{% for p in profile.traits.items %}{{ profile.traits.name[299999] }}{% endfor %}",
	"{% for p in profile.traits.items %}{% for q in profile.traits.items %}{% endfor %}{% endfor %}",
	"{% for p in profile.traits.items %}{% for q in profile.traits %}{% break %}{% endfor %}{% endfor %}",
	"{% for p in profile.traits.items %}{% if forloop and forloop and forloop and forloop == forloop %}{% endif %}{% endfor %}",
	"{% for p in profile.traits.items %}{% if p and p and p and p and p and p and p or p or p or p or p %}{% endif %}{% endfor %}",
	"{% for p in profile.traits.items %}{{ 'a' | slugify: 'latin' }}{% endfor %}",
	"{% for p in profile.traits.items %}{{ '&' | escape | escape_once }}{% endfor %}",
	"{% for p in profile.traits.items %}{{ 'now' | date: '%Y', 'Europe/Berlin' }}{% endfor %}",
	"{% for p in profile.traits.items %}{{ 'nothing like a date at all' | date: '%Y' }}{% endfor %}",
	"{% for p in profile.traits.items %}{{ 1.005 | round: 2 }}{% endfor %}",
	"{% for p in profile.traits.items %}{% cycle p: 1, 2 %}{% increment a %}{% endfor %}",
	"{% for p in profile.traits.items %}{% assign a = p | json | append: forloop.index | split: '' | sort_natural | join %}{% endfor %}",
	"{{ profile.traits.nested | json: 10 }}",
	"{% for p in profile.traits.items %}{{ profile.traits.nested | json: 10 | size }}{% endfor %}",
	"{{ profile.traits.b | strip: profile.traits.b | size }}",
	"{{ profile.traits.name | split: '' | sort | join | size }}",
	"{{ profile.traits.wide | upcase | slugify: 'latin' | size }}",
	"{% for p in profile.traits.items %}{{ profile.traits.wide | upcase | size }}{% endfor %}",
	"{% for p in profile.traits.items %}{{ profile.traits.words | sort_natural | uniq | size }}{% endfor %}",
	"{{ profile.traits.items | group_by: 'x' | size }}{{ profile.traits.words | group_by_exp: 'x', 'x' | size }}",
	"{{ profile.traits.items | where_exp: 'x', 'x.a == blank or x.b == empty' | size }}",
	"{{ profile.traits.lt | strip_html | size }}",
	"{% assign a = (1..1000000) %}{{ a | size }}",
	"{% for i in (1..100000) %}{% for j in (1..100000) %}{% capture x %}{{ x }}{{ i }}{% endcapture %}{% endfor %}{% endfor %}",
	"{% for i in (1..100000) %}{% assign s = s | append: 'xxxxxxxxxx' %}{% endfor %}",
	"{% for i in (1..100000) %}{% assign a = a | push: i %}{% endfor %}",
	"{% assign a = 'x' | split: '' %}{% for i in (1..100000) %}{% assign a = a | concat: a | reverse %}{% endfor %}",
	"{% tablerow i in (1..300000) cols:1 %}{% capture z %}{% endcapture %}{% endtablerow %}",
	"{% for p in profile.traits.items %}{{ profile.traits.name | replace: ' ', '' | size }}{% endfor %}",
	"{% for p in profile.traits.items %}{{ profile.traits.name | truncatewords: 2 | size }}{% endfor %}",
	"{% for p in profile.traits.items %}{% case p %}{% when 1, 2, 3, 4, 5, 6, 7, 8, 9 %}{% endcase %}{% endfor %}",
	"{% for p in profile.traits.items %}" + strings.Repeat("{% assign a = p.a.b.c.d.e %}", 50) + "{% endfor %}",
	manyNames(),
}

func manyNames() string {
	var b strings.Builder
	for i := range 3000 {
		b.WriteString("{% assign n" + jsvalue.FormatNumber(float64(1000+i)) + " = 1 %}")
	}
	return b.String() + "{% for p in profile.traits.items %}{{ n3999 }}{% endfor %}"
}

// TestAttacksEndTheSame renders what takes long: whether it comes out depends
// on nothing but the template and the variables.
func TestAttacksEndTheSame(t *testing.T) {
	vars := attackVars(t)
	for _, source := range attacks {
		template, err := Compile(source)
		if err != nil {
			t.Errorf("%.80s: %v", source, err)
			continue
		}
		first, second := NewBudget(t.Context()), NewBudget(t.Context())
		_, err = template.render(first, nil, vars, time.Now)
		_, again := template.render(second, nil, vars, time.Now)
		if (err == nil) != (again == nil) || first.left != second.left {
			t.Errorf("%.80s: %v with %g left, then %v with %g", source, err, first.left, again, second.left)
		}
	}
}

func BenchmarkAttacks(b *testing.B) {
	vars := attackVars(b)
	for _, source := range attacks {
		template, err := Compile(source)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strings.ReplaceAll(source[:min(len(source), 100)], "/", "|"), func(b *testing.B) {
			b.ReportAllocs()
			var budget *Budget
			for b.Loop() {
				budget = NewBudget(b.Context())
				_, err = template.render(budget, nil, vars, time.Now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(maxWork-budget.left), "ns/unit")
		})
	}
}

func TestRenderingEndsWithItsContext(t *testing.T) {
	template, err := Compile("{% for i in (1..100000) %}{{ i }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("the shard is given up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err = template.render(NewBudget(ctx), nil, nil, time.Now)
	if _, ok := errors.AsType[*InterruptedError](err); !ok || !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestTheClockIsTheLastResort(t *testing.T) {
	template, err := Compile("{% for i in (1..100000) %}{{ i | plus: 1 }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	b := NewBudget(t.Context())
	b.limit = 0 // so that any machine is too busy
	_, err = template.render(b, nil, nil, time.Now)
	if _, ok := errors.AsType[*InterruptedError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestRenderingsShareTheirBudget(t *testing.T) {
	template, err := Compile("{% for i in (1..10000) %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	b := NewBudget(t.Context())
	for range 1000 {
		if _, err = template.render(b, nil, nil, time.Now); err != nil {
			break
		}
	}
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Errorf("got %v", err)
	}
}
