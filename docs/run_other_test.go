//go:build !linux

package docs_test

import "context"

// Elsewhere the blocks are only compared with the repository.
func (c *checker) runBlocks(context.Context, *document, []*block) ([]string, error) {
	return nil, errNoSandbox
}
