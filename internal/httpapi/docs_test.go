package httpapi_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
)

// Every command of docs/http-api.md works as it is printed there.
func TestDocumentedCommands(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	page, err := os.ReadFile("../../docs/http-api.md")
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(_ *httpapi.Options, app *apps.App) {
		app.ID, app.Keys = "1001", auth.Keys{{Key: "app-key", Secret: "app-secret"}}
	}, keeping("presence-*"), withHistory(&pastEvents{}))
	base, _ := f.serve()
	var function string
	commands := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		script := strings.ReplaceAll(block[1], "http://127.0.0.1:6001", base)
		if strings.HasPrefix(script, "api()") {
			function = script
			continue
		}
		commands++
		out, err := exec.CommandContext(t.Context(), "sh", "-c", function+script).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "{") {
			t.Errorf("%s%v: %s", script, err, out)
		}
	}
	if function == "" || commands != 7 {
		t.Errorf("%d commands found, function %q", commands, function)
	}
}
