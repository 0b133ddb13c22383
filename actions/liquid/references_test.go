package liquid

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestReferences(t *testing.T) {
	for source, want := range map[string]string{
		"Hi {{ profile.first_name }}!":                                        "profile.first_name@1:7",
		"a\n{{ traits.x | default: customer.name, allow_false: flag }}":       "traits.x@2:4 customer.name@2:24 flag@2:52",
		"{% assign a = b.c %}{{ a }}{% capture d %}{{ e }}{% endcapture %}":   "b.c@1:15 e@1:46",
		"{% for i in items %}{{ i.x }}{{ forloop.index }}{{ j }}{% endfor %}": "items@1:13 j@1:52",
		"{% if a.b == 'c.d' and e contains f %}{% endif %}":                   "a.b@1:7 e@1:24 f@1:35",
		"{% raw %}{{ x }}{% endraw %}{% comment %}{{ y }}{% endcomment %}":    "",
		"{{ 'text' | append: 1 }}{{ nil }}{{ true }}{{ a['b'].c[d] }}":        "d@1:56 a.b.c@1:47",
		"{% increment n %}{{ n }}":                                            "",
	} {
		template, err := Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		var got []string
		for _, r := range template.References() {
			got = append(got, strings.Join(r.Keys, ".")+"@"+place(r))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", source, strings.Join(got, " "), want)
		}
	}
}

func place(r Reference) string { return strconv.Itoa(r.Line) + ":" + strconv.Itoa(r.Column) }

func TestOutputsThatCameOutEmpty(t *testing.T) {
	source := Fixed("{{ a }}{{ b.c }}{{ b.c }}{{ d | default: 'x' }}{% if e %}{{ e }}{% endif %}{{ f | append: '' }}{% capture g %}{{ h }}{% endcapture %}")
	template, err := CompileSource(source)
	if err != nil {
		t.Fatal(err)
	}
	var empty []string
	rendered, err := template.Render(NewBudget(t.Context()), &source, Noting{map[string]any{"a": "A", "f": ""}, &empty})
	if err != nil || rendered != "Ax" {
		t.Fatalf("%q %v", rendered, err)
	}
	if want := []string{"b.c", "f | append: ''", "h"}; !reflect.DeepEqual(empty, want) {
		t.Errorf("%q, want %q", empty, want)
	}
}
