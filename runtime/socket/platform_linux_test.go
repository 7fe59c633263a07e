package socket_test

import "github.com/udsgrpc/udsgrpc/internal/testproc"

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"listen":                       listenAndSayHello,
	"diagnose":                     diagnose,
	"diagnose without descriptors": diagnoseWithoutDescriptors,
	"diagnose mount":               diagnoseMount,
	"connect and stay":             connectAndStay,
	"connect and hand over":        connectAndHandOver,
	"contend":                      contend,
	"listen and die":               listenAndDie,
	"listen without umask":         listenWithoutUmask,
	"listen wide":                  listenWide,
	"intrude":                      intrude,
	"serve activated":              serveActivated,
	"stall":                        stall,
	"stall as systemd":             stallAsSystemd,
	"stall under an odd name":      stallUnderAnOddName,
	"stall without descriptors":    stallWithoutDescriptors,
	"listen and hand on":           listenAndHandOn,
	"answer":                       answer,
	"listen with few descriptors":  listenWithFewDescriptors,
	"stand by unannounced":         standByUnannounced,
	"report":                       report,
	"listen in a new directory":    listenInNewDir,
}

const (
	hasPeerPID   = true
	hasLongPaths = true
)
