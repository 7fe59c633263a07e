package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// liveWindow is how far the rates of the live picture look back, so that they can be read.
const liveWindow = 5 * time.Second

// topLive shows pictures on the terminal, until the user ends it or there are no more.
func topLive(verb *cobra.Command, picture topPicture, f *follower, interval time.Duration) error {
	ctx, cancel := context.WithCancel(verb.Context())
	defer cancel()
	// Without tea.WithContext: a program that its context ends closes the terminal while it is still read.
	program := tea.NewProgram(liveView{topPicture: picture},
		tea.WithInput(verb.InOrStdin()), tea.WithOutput(verb.OutOrStdout()), tea.WithoutSignalHandler())
	followed := make(chan error, 1)
	go func() { // ends when the view or ctx does
		followed <- f.follow(ctx, &topLooker{
			display: liveDisplay{program}, interval: interval, window: viewer.Window{Length: liveWindow},
		})
		program.Quit()
	}()
	_, err := program.Run()
	cancel()
	followErr := <-followed
	if errors.Is(err, tea.ErrInterrupted) {
		err = nil // by the user
	}
	if errors.Is(followErr, context.Canceled) {
		followErr = nil
	}
	return errors.Join(followErr, err)
}

// liveDisplay sends what there is to the view.
type liveDisplay struct{ program *tea.Program }

func (d liveDisplay) show(picture *viewer.Difference) error {
	d.program.Send(picture)
	return nil
}

func (d liveDisplay) gone(why socket.Diagnosis) error {
	d.program.Send(why)
	return nil
}

// liveView is what is on the screen. The goroutine of the program has it.
type liveView struct {
	topPicture
	height  int
	picture *viewer.Difference // nil until there is one
	gone    *socket.Diagnosis  // nil while there is a server
}

func (liveView) Init() tea.Cmd { return nil }

func (v liveView) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case *viewer.Difference:
		v.picture, v.gone = msg, nil
	case socket.Diagnosis:
		v.gone = &msg
	case tea.WindowSizeMsg:
		v.height = msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return v, tea.Quit
		case "ctrl+z":
			return v, tea.Suspend
		}
	}
	return v, nil
}

func (v liveView) View() tea.View {
	view := tea.NewView(v.content())
	view.AltScreen = true
	return view
}

// content leaves the last line to how to end it.
func (v liveView) content() string {
	if v.gone == nil && v.picture == nil {
		return ""
	}
	text := ""
	if v.gone != nil {
		text = fmt.Sprintf("%s: %s, waiting for a server\n\t%s\n\n", clean(v.path), v.bad(string(v.gone.Condition)), clean(v.gone.Detail))
	}
	if v.picture != nil {
		text += v.draw(v.picture, v.height-1-strings.Count(text, "\n"))
	}
	return text + "q ends it"
}
