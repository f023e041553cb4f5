package board

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// browser is a Chromium without a window, spoken to by its developer tools' protocol over
// a pipe.
type browser struct {
	*testing.T
	to      io.Writer
	answers chan answer
	id      int
	session string
}

type answer struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
}

// answersWithin is how long an answer may take on a busy machine.
const answersWithin = time.Minute

// start starts the browser that the machine has, and opens a page in it.
func start(t *testing.T, width, height int, page string) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && program == "" {
			program = found
		}
	}
	if program == "" {
		t.Skip("no Chromium is on PATH: the page of the board is drawn by nobody here")
	}
	readCommands, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	replies, writeReplies, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--remote-debugging-pipe", "--user-data-dir="+filepath.Join(home, "profile"), fmt.Sprintf("--window-size=%d,%d", width, height))
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.ExtraFiles = []*os.File{readCommands, writeReplies}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	readCommands.Close()
	writeReplies.Close()
	b := &browser{T: t, to: commands, answers: make(chan answer, 100)}
	go b.listen(replies)
	t.Cleanup(func() {
		commands.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		replies.Close()
	})
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.call("Page.navigate", map[string]any{"url": page}, nil)
	b.await("document.documentElement?.dataset.drawn !== undefined")
	return b
}

func (b *browser) listen(from io.Reader) {
	defer close(b.answers)
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var a answer
		if json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &a) == nil && a.ID > 0 {
			b.answers <- a
		}
	}
}

// call calls a method, and waits for its answer.
func (b *browser) call(method string, params map[string]any, into any) {
	b.Helper()
	b.id++
	message := map[string]any{"id": b.id, "method": method, "params": params}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	data, err := json.Marshal(message)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.to.Write(append(data, 0)); err != nil {
		b.Fatalf("%s: %v", method, err)
	}
	limit := time.After(answersWithin)
	for {
		select {
		case a, open := <-b.answers:
			switch {
			case !open:
				b.Fatalf("%s: the browser has ended", method)
			case a.ID != b.id:
				continue
			case a.Error != nil:
				b.Fatalf("%s: %s", method, a.Error.Message)
			case into != nil:
				if err := json.Unmarshal(a.Result, into); err != nil {
					b.Fatal(err)
				}
			}
			return
		case <-limit:
			b.Fatalf("%s: no answer", method)
		}
	}
}

// value gives what an expression is on the page.
func (b *browser) value(expression string) any {
	b.Helper()
	var out struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Text string }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &out)
	if out.ExceptionDetails != nil {
		b.Fatalf("%s: %s", expression, out.ExceptionDetails.Text)
	}
	return out.Result.Value
}

func (b *browser) await(expression string) {
	b.Helper()
	for range 300 {
		if b.value(expression) == true {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatalf("never: %s", expression)
}

// press presses a key; one of a single letter types it.
func (b *browser) press(key string) {
	b.Helper()
	codes := map[string]int{"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowRight": 39, "End": 35}
	down := map[string]any{"type": "keyDown", "key": key, "windowsVirtualKeyCode": codes[key]}
	if len(key) == 1 {
		down["text"] = key
	}
	b.call("Input.dispatchKeyEvent", down, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "windowsVirtualKeyCode": codes[key]}, nil)
}

// shoot keeps a picture of the page where $BOARD_PICTURES says, to be looked at.
func (b *browser) shoot(name string) {
	b.Helper()
	dir := os.Getenv("BOARD_PICTURES")
	if dir == "" {
		return
	}
	var out struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{}, &out)
	if err := os.WriteFile(filepath.Join(dir, name+".png"), out.Data, 0o644); err != nil {
		b.Fatal(err)
	}
}
