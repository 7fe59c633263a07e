package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const jsonFlag = "json"

// addJSON gives a verb the flag that every verb has.
func addJSON(verb *cobra.Command, object string) {
	verb.Flags().Bool(jsonFlag, false, "print JSON Lines, one object for each "+object)
}

// explainFlag makes the error of flags that cannot be read. A path may begin like a flag.
func explainFlag(_ *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	flag := "--" + unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		flag = "-" + unknown.GetSpecifiedShortnames()
	}
	return fmt.Errorf("there is no flag %s (a file of that name is ./%s)", flag, flag)
}

// paths is for verbs that take one path or more.
func paths(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("say which socket: PATH is missing")
	}
	return nil
}
