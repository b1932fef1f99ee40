package config

import (
	"bufio"
	"io"
	"reflect"
	"strings"
	"time"
)

// Print writes c as YAML, each value with its origin. Secrets and the parts of
// webhook URLs that may hold one are left out.
func Print(w io.Writer, c *Config, origins Origins) error {
	p := printer{out: bufio.NewWriter(w), behind: func(l leaf) string {
		if origin := origins[l.path]; origin != "" {
			return "  # " + origin
		}
		return "  # default"
	}}
	p.table(reflect.ValueOf(c).Elem(), "", "", "", "")
	return p.out.Flush()
}

// PrintDefaults writes every key as YAML, with its meaning and its default. What
// concerns apps is commented out, since they have no default credentials; the
// rest loads as it is.
func PrintDefaults(w io.Writer) error {
	p := printer{out: bufio.NewWriter(w), above: explanation}
	p.line("# Every key of pipesocketd at its default.")
	c := Defaults()
	p.table(reflect.ValueOf(c).Elem(), "", "", "", "")
	p.line("")
	p.comment("Each app has these keys. Remove the first number sign of every line below to use them.", "")
	p.line("")
	p.margin = "#"
	p.table(reflect.ValueOf(exampleApps()).Elem(), "", "", "", "")
	return p.out.Flush()
}

// exampleSecret is the one secret that is printed. Nothing else has it.
const exampleSecret = "your-secret"

// exampleApps has one app with all its keys.
func exampleApps() *struct {
	Apps []App `mapstructure:"apps"`
} {
	app := DefaultApp()
	app.ID = DevelopmentAppID
	app.Keys = []Key{{Key: "your-key", Secret: exampleSecret, Created: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}}
	webhook := DefaultWebhook()
	webhook.URL, webhook.Events = "https://example.com/pusher/webhooks", WebhookEvents()[:2]
	webhook.Headers = []Header{{Name: "X-Receiver-Token", Value: exampleSecret}}
	app.Webhooks = []Webhook{webhook}
	return &struct {
		Apps []App `mapstructure:"apps"`
	}{[]App{app}}
}

// explanation is the comment above a key, in paragraphs.
func explanation(l leaf) []string {
	r := rules[l.key]
	paragraphs := []string{r.meaning}
	if r.limits != "" {
		paragraphs = append(paragraphs, "Value: "+r.limits+".")
	}
	names := envName(l.key)
	if flag := flagName(l.key); flag != "" {
		names += ", --" + flag
	}
	if names != "" {
		paragraphs = append(paragraphs, names)
	}
	for i := range paragraphs {
		paragraphs[i] = strings.ReplaceAll(paragraphs[i], "`", "")
	}
	return paragraphs
}

// A printer writes structs as YAML. above and behind give comments; either may
// be nil.
type printer struct {
	out    *bufio.Writer
	margin string // at the beginning of every line that is not blank
	above  func(leaf) []string
	behind func(leaf) string
}

// table writes the fields of one struct. first stands before the first of them
// instead of the indent: the dash of a list item.
func (p *printer) table(table reflect.Value, path, key, indent, first string) {
	for field := range keyFields(table.Type()) {
		name := field.Tag.Get("mapstructure")
		l := leaf{join(path, name), join(key, name), table.FieldByIndex(field.Index)}
		lead := indent
		if first != "" {
			lead, first = first, ""
		}
		switch {
		case isTable(field.Type):
			p.spaced(lead)
			p.setting(lead, name+":")
			p.table(l.value, l.path, l.key, indent+"  ", "")
		case isTableList(field.Type):
			p.tables(l, name, lead, indent)
		case field.Type == typeTime && l.value.Interface().(time.Time).IsZero():
			// There is no value that means "not given".
		default:
			p.describe(l, lead)
			p.setting(lead, name+": "+p.value(l)+p.note(l))
		}
	}
}

func (p *printer) tables(l leaf, name, lead, indent string) {
	if l.value.Len() == 0 {
		if p.above == nil {
			p.setting(lead, name+": []"+p.note(l))
		}
		return
	}
	p.describe(l, lead)
	p.setting(lead, name+":")
	for i := range l.value.Len() {
		p.table(l.value.Index(i), index(l.path, i), l.key+"[]", indent+"    ", indent+"  - ")
	}
}

func (p *printer) value(l leaf) string {
	switch {
	case l.key == "apps[].webhooks[].url", l.key == "history.database" && l.value.String() != "":
		return yamlText(withoutCredentials(l.value.String()))
	case l.key == "cluster.engine":
		return yamlText(Cluster{Engine: l.value.String()}.hidden())
	case l.value.Type() == typeSecret && l.value.String() == exampleSecret && p.above != nil:
		return exampleSecret
	default:
		return scalar(l.value)
	}
}

func (p *printer) note(l leaf) string {
	if p.behind == nil {
		return ""
	}
	return p.behind(l)
}

// describe writes the comment above a key, with a blank line before it.
func (p *printer) describe(l leaf, lead string) {
	if p.above == nil {
		return
	}
	p.spaced(lead)
	for _, paragraph := range p.above(l) {
		p.comment(paragraph, strings.Repeat(" ", len(lead)))
	}
}

func (p *printer) spaced(lead string) {
	if p.above != nil && p.margin == "" && lead == "" {
		p.line("")
	}
}

// comment wraps a text into comment lines.
func (p *printer) comment(text, indent string) {
	const width = 100
	line := indent + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			p.line(p.margin + line)
			line = indent + "#"
		}
		line += " " + word
	}
	p.line(p.margin + line)
}

func (p *printer) setting(lead, text string) { p.line(p.margin + lead + text) }

// line writes lines. The buffer keeps the first error for Flush.
func (p *printer) line(lines ...string) {
	for _, l := range lines {
		_, _ = p.out.WriteString(l + "\n")
	}
}
