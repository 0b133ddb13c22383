package actions

import (
	"errors"
	"fmt"
	"slices"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// The hosted destination checks resolved mappings against a JSON schema with
// ajv (coerceTypes "array", removeAdditional) after taking out what is empty.
// These functions make of a resolved value what that makes of it. They are
// told whether there is a value at all, and tell whether one is left: null
// and the empty string count as none.

// errFieldType is a value that can't become what its field must be.
var errFieldType = errors.New("has the wrong type")

func wrongType(want string, v any) error {
	return fmt.Errorf("%w: it should be %s, it is %s", errFieldType, want, kindName(v))
}

// single takes a value out of an array that holds nothing else.
func single(v any) any {
	if list, ok := v.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return v
}

// toString is v as a string; null becomes an empty one.
func toString(v any) (string, error) {
	switch x := jsvalue.Of(single(v)).(type) {
	case nil, jsvalue.Undefined:
		return "", nil
	case string:
		return x, nil
	case bool, float64:
		return jsvalue.String(x), nil
	default:
		return "", wrongType("a string", v)
	}
}

// toBool is v as a boolean. The empty string has been taken out before.
func toBool(v any) (bool, error) {
	switch x := jsvalue.Of(single(v)).(type) {
	case bool:
		return x, nil
	case string:
		if x == "true" || x == "false" {
			return x == "true", nil
		}
	case float64:
		if x == 0 || x == 1 {
			return x == 1, nil
		}
	case nil:
		return false, nil
	}
	return false, wrongType("true or false", v)
}

// toObject is v if it is an object; nil if it is null or an empty string.
func toObject(v any) (any, error) {
	if v == nil || v == "" {
		return nil, nil
	}
	if !jsvalue.IsObject(v) {
		return nil, wrongType("an object", v)
	}
	return v, nil
}

// toList is v as an array; anything else becomes an array of itself. It is
// without the items that empty finds empty.
func toList(v any, empty func(any) bool) []any {
	if v == nil || v == "" {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return []any{v}
	}
	if slices.ContainsFunc(list, empty) {
		list = slices.DeleteFunc(slices.Clone(list), empty)
	}
	return list
}

// toSource is toString for templates: what is a string is data, unless it is
// trusted to be a template.
func toSource(v any, trusting bool) (liquid.Source, error) {
	if source, ok := single(v).(*liquid.Source); ok {
		return *source, nil
	}
	text, err := toString(v)
	if trusting {
		return liquid.Fixed(text), err
	}
	return liquid.Data(text), err
}

// toTexts is v as templates.
func toTexts(v any, trusting bool) ([]text, error) {
	list := toList(v, jsvalue.Nullish)
	if len(list) == 0 {
		return nil, nil
	}
	texts := make([]text, len(list))
	for i, item := range list {
		var err error
		if texts[i].source, err = toSource(item, trusting); err != nil {
			return nil, fmt.Errorf("item %d %w", i, err)
		}
	}
	return texts, nil
}

// externalID is an address of a profile. A member that is missing is empty:
// nothing tells them apart.
type externalID struct {
	id          string
	kind        string // the type: phone, email, ...
	channelType string
	status      string
}

// toExternalIDs is v as addresses.
func toExternalIDs(v any) ([]externalID, error) {
	list := toList(v, func(item any) bool { return jsvalue.Nullish(item) || item == "" })
	if len(list) == 0 {
		return nil, nil
	}
	ids := make([]externalID, len(list))
	for i, object := range list {
		if !jsvalue.IsObject(object) {
			return nil, fmt.Errorf("item %d %w", i, wrongType("an object", object))
		}
		for _, member := range [...]struct {
			name string
			to   *string
		}{
			{"id", &ids[i].id},
			{"type", &ids[i].kind},
			{"channelType", &ids[i].channelType},
			{"subscriptionStatus", &ids[i].status},
		} {
			var err error
			if *member.to, err = stringMember(object, member.name); err != nil {
				return nil, fmt.Errorf("item %d: %s %w", i, member.name, err)
			}
		}
	}
	return ids, nil
}

// stringMember is a member of an object as a string, a missing one empty.
func stringMember(object any, name string) (string, error) {
	if o, ok := object.(*jsvalue.Object); ok {
		if text, ok := o.Text(name); ok {
			return text, nil
		}
	}
	value, _ := jsvalue.Get(object, name)
	return toString(value)
}
