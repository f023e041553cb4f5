// Package convention knows where charts, objects and parameters keep images by
// convention: the keys of values files, Helm's parameters of Argo CD, the registry of
// a whole chart, and the fields of custom resources, in one table.
package convention

import "strings"

// KindImages gives the paths of images that objects of a kind have apart from the
// containers of pods, which are found in every kind: in the form that set --value
// takes, with [*] for all items. It is empty for kinds that have none, or that nobody
// has added to the table yet.
func KindImages(apiVersion, kind string) []string {
	group, _, _ := strings.Cut(apiVersion, "/")
	return kindImages[group+"/"+kind]
}

// kindImages is by group and kind: a field's meaning does not change with the version.
var kindImages = map[string][]string{
	"argoproj.io/Workflow":                workflow("spec"),
	"argoproj.io/WorkflowTemplate":        workflow("spec"),
	"argoproj.io/ClusterWorkflowTemplate": workflow("spec"),
	"argoproj.io/CronWorkflow":            workflow("spec.workflowSpec"),

	"tekton.dev/Task":        steps("spec"),
	"tekton.dev/ClusterTask": steps("spec"),
	"tekton.dev/StepAction":  {"spec.image"},
	"tekton.dev/TaskRun":     steps("spec.taskSpec"),
	"tekton.dev/Pipeline":    append(steps("spec.tasks[*].taskSpec"), steps("spec.finally[*].taskSpec")...),
	"tekton.dev/PipelineRun": append(steps("spec.pipelineSpec.tasks[*].taskSpec"), steps("spec.pipelineSpec.finally[*].taskSpec")...),

	"shipwright.io/BuildStrategy":        steps("spec"),
	"shipwright.io/ClusterBuildStrategy": steps("spec"),

	"sparkoperator.k8s.io/SparkApplication":          spark("spec"),
	"sparkoperator.k8s.io/ScheduledSparkApplication": spark("spec.template"),
	"flink.apache.org/FlinkDeployment":               {"spec.image"},

	"postgresql.cnpg.io/Cluster":             {"spec.imageName"},
	"postgresql.cnpg.io/ImageCatalog":        {"spec.images[*].image"},
	"postgresql.cnpg.io/ClusterImageCatalog": {"spec.images[*].image"},
	"acid.zalan.do/postgresql":               {"spec.dockerImage"},
	"rabbitmq.com/RabbitmqCluster":           {"spec.image"},
	"k8s.mariadb.com/MariaDB":                {"spec.image"},
	"psmdb.percona.com/PerconaServerMongoDB": {"spec.image", "spec.backup.image"},
	"pxc.percona.com/PerconaXtraDBCluster":   {"spec.pxc.image", "spec.haproxy.image", "spec.proxysql.image", "spec.backup.image"},

	"kafka.strimzi.io/Kafka": {"spec.kafka.image", "spec.zookeeper.image", "spec.cruiseControl.image", "spec.kafkaExporter.image",
		"spec.entityOperator.topicOperator.image", "spec.entityOperator.userOperator.image"},
	"kafka.strimzi.io/KafkaConnect":      {"spec.image"},
	"kafka.strimzi.io/KafkaBridge":       {"spec.image"},
	"kafka.strimzi.io/KafkaMirrorMaker2": {"spec.image"},

	"monitoring.coreos.com/Prometheus":                 {"spec.image", "spec.thanos.image"},
	"monitoring.coreos.com/PrometheusAgent":            {"spec.image"},
	"monitoring.coreos.com/Alertmanager":               {"spec.image"},
	"monitoring.coreos.com/ThanosRuler":                {"spec.image"},
	"opentelemetry.io/OpenTelemetryCollector":          {"spec.image"},
	"opentelemetry.io/Instrumentation":                 {"spec.java.image", "spec.nodejs.image", "spec.python.image", "spec.dotnet.image", "spec.go.image"},
	"elasticsearch.k8s.elastic.co/Elasticsearch":       {"spec.image"},
	"kibana.k8s.elastic.co/Kibana":                     {"spec.image"},
	"logstash.k8s.elastic.co/Logstash":                 {"spec.image"},
	"beat.k8s.elastic.co/Beat":                         {"spec.image"},
	"apm.k8s.elastic.co/ApmServer":                     {"spec.image"},
	"agent.k8s.elastic.co/Agent":                       {"spec.image"},
	"enterprisesearch.k8s.elastic.co/EnterpriseSearch": {"spec.image"},

	"kubevirt.io/VirtualMachine":         {"spec.template.spec.volumes[*].containerDisk.image"},
	"kubevirt.io/VirtualMachineInstance": {"spec.volumes[*].containerDisk.image"},
	"pkg.crossplane.io/Provider":         {"spec.package"},
	"pkg.crossplane.io/Configuration":    {"spec.package"},
	"pkg.crossplane.io/Function":         {"spec.package"},
}

// workflow gives the images of an Argo workflow's specification at a path.
func workflow(at string) []string {
	var out []string
	for _, template := range []string{at + ".templates[*]", at + ".templateDefaults"} {
		for _, field := range []string{"container", "script", "sidecars[*]"} {
			out = append(out, template+"."+field+".image")
		}
	}
	return out
}

// steps gives those of a Tekton task's specification.
func steps(at string) []string {
	return []string{at + ".steps[*].image", at + ".sidecars[*].image", at + ".stepTemplate.image"}
}

// spark gives those of a Spark application's specification.
func spark(at string) []string {
	return []string{at + ".image", at + ".driver.image", at + ".executor.image", at + ".driver.sidecars[*].image", at + ".executor.sidecars[*].image"}
}
