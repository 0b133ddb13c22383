package mapping

import (
	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// Sources are the texts that the mapping fixes, where ResolveTemplate may return
// them, with nothing for the data in them.
func (v *Value) Sources() []liquid.Source {
	var found []liquid.Source
	collect(v.root, &found)
	return found
}

func collect(n node, found *[]liquid.Source) {
	switch n := n.(type) {
	case constant:
		collectFixed(n.fixed, found)
	case template:
		if n.dynamic != nil {
			return // what it computes has placeholders yet
		}
		var b liquid.Builder
		for _, p := range n.parts {
			b.Range(&n.fixed, p.start, p.end)
			if p.value {
				b.Data("")
			}
		}
		if firstBraces(n.fixed.String()) == 2 {
			*found = append(*found, b.Source())
		}
	case condition:
		collect(n.then, found)
		collect(n.otherwise, found)
	case excludeWhenNull:
		collect(n.value, found)
	case array:
		for _, item := range n {
			collect(item, found)
		}
	case object:
		for _, value := range n.values {
			collect(value, found)
		}
	case merge:
		for _, object := range n.objects {
			collect(object, found)
		}
	case flatten:
		collect(n.value, found)
	case transform:
		collect(n.mapping, found)
	case arrayPath:
		collect(n.item, found)
	}
}

// Constants are the texts that the value may be as they stand in the mapping, in
// branches of conditions, too.
func (v *Value) Constants() []string { return constantTexts(v.root) }

func constantTexts(n node) []string {
	switch n := n.(type) {
	case constant:
		if text, ok := n.value.(string); ok {
			return []string{text}
		}
	case condition:
		return append(constantTexts(n.then), constantTexts(n.otherwise)...)
	case excludeWhenNull:
		return constantTexts(n.value)
	}
	return nil
}

func collectFixed(v any, found *[]liquid.Source) {
	switch v := v.(type) {
	case *liquid.Source:
		*found = append(*found, *v)
	case []any:
		for _, item := range v {
			collectFixed(item, found)
		}
	case *jsvalue.Object:
		for _, value := range jsvalue.All(v) {
			collectFixed(value, found)
		}
	}
}
