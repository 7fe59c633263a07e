package docs_test

import (
	"os"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The manifests that documents show, and the pod of the same example, say nothing that Kubernetes
// does not know.
func TestManifestsAreOfKubernetesTypes(t *testing.T) {
	t.Parallel()
	read := func(file string, manifest any) {
		t.Helper()
		text, err := os.ReadFile("../examples/sidecar/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, manifest); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}

	var pod corev1.Pod
	read("pod.yaml", &pod)
	if pod.Kind != "Pod" || len(pod.Spec.InitContainers) != 1 || len(pod.Spec.Containers) != 1 {
		t.Errorf("pod.yaml is a %s with %d and %d containers", pod.Kind, len(pod.Spec.InitContainers), len(pod.Spec.Containers))
	}

	var set appsv1.DaemonSet
	read("daemonset.yaml", &set)
	update := set.Spec.UpdateStrategy.RollingUpdate
	if set.Kind != "DaemonSet" || update == nil || update.MaxSurge.IntValue() != 1 || update.MaxUnavailable.IntValue() != 0 {
		t.Errorf("daemonset.yaml is a %s that is updated by %v: want a new pod before the old one goes", set.Kind, update)
	}
}
