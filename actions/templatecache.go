package actions

import "engage-worker/actions/liquid"

type templateCache struct{}

func newTemplateCache() templateCache { return templateCache{} }

func (templateCache) Get(source string) (*liquid.Template, error) { return liquid.Compile(source) }
