package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// A document is a configuration file that has been read.
type document struct {
	name   string
	format string // yaml, toml or json
	text   []byte
}

// readFile reads a configuration file, whose extension tells its format. The
// name "" is no file.
func readFile(name string) (document, error) {
	if name == "" {
		return document{}, nil
	}
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")
	if format == "yml" {
		format = "yaml"
	}
	if !slices.Contains([]string{"yaml", "toml", "json"}, format) {
		return document{}, fmt.Errorf("config file %s: must end in .yaml, .yml, .toml or .json", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return document{}, fmt.Errorf("read config file: %w", err)
	}
	return document{name: name, format: format, text: text}, nil
}

// decode returns the tables of the document. An empty one has none.
func (d document) decode() (map[string]any, error) {
	tree := make(map[string]any)
	if len(bytes.TrimSpace(d.text)) == 0 {
		return tree, nil
	}
	decoder, err := viper.NewCodecRegistry().Decoder(d.format)
	if err != nil {
		return nil, fmt.Errorf("config file %s: %w", d.name, err)
	}
	if err := decoder.Decode(d.text, tree); err != nil {
		return nil, fmt.Errorf("config file %s: %s%s", d.name, d.position(err), withoutQuotes(err.Error()))
	}
	if err := d.checkWhole(); err != nil {
		return nil, fmt.Errorf("config file %s: %w", d.name, err)
	}
	return tree, nil
}

// checkWhole refuses what decoders leave out without a word: every YAML
// document but the first, and a JSON key that comes again.
func (d document) checkWhole() error {
	switch d.format {
	case "yaml":
		return oneDocument(d.text)
	case "json":
		return uniqueKeys(json.NewDecoder(bytes.NewReader(d.text)))
	default:
		return nil
	}
}

// oneDocument refuses a document marker below content. The marker ends even a
// block of text, so every line that begins with one is one.
func oneDocument(text []byte) error {
	content := false
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimRight(line, " \t\r\n")
		marker := bytes.Equal(line, []byte("---")) || bytes.HasPrefix(line, []byte("--- "))
		if marker && content {
			return fmt.Errorf("line %d: a second document begins here, but only one is read", number)
		}
		if len(line) > 0 && line[0] != '#' && line[0] != '%' && !bytes.Equal(line, []byte("---")) {
			content = true
		}
	}
	return nil
}

// uniqueKeys reads one JSON value.
func uniqueKeys(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return errors.New("not JSON")
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := make(map[string]bool)
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return errors.New("not JSON")
			}
			text, _ := name.(string)
			if seen[text] {
				return fmt.Errorf("key %s comes twice in one object", quotedName(text))
			}
			seen[text] = true
		}
		if err := uniqueKeys(d); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing bracket
	return err
}

// position tells the line of a decoder's error where its text does not.
func (d document) position(err error) string {
	var positioned interface{ Position() (row, column int) }
	if errors.As(err, &positioned) {
		row, _ := positioned.Position()
		return fmt.Sprintf("line %d: ", row)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		before := d.text[:min(int(syntax.Offset), len(d.text))]
		return fmt.Sprintf("line %d: ", bytes.Count(before, []byte("\n"))+1)
	}
	return ""
}

var quotes = regexp.MustCompile("`[^`]*`|\"[^\"]*\"|'[^']*'")

// withoutQuotes takes the file's own words out of a decoder's message, since
// they may be part of a secret. Names of keys may stay.
func withoutQuotes(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	return quotes.ReplaceAllStringFunc(message, func(q string) string {
		name := q[1 : len(q)-1]
		for _, key := range allKeys() {
			if key == name || strings.HasSuffix(key, "."+name) {
				return q
			}
		}
		if len(name) <= 1 {
			return q
		}
		return q[:1] + "…" + q[len(q)-1:]
	})
}
