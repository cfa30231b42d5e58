output "roles" {
  description = "The roles, by job."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}

output "lethe_toml" {
  description = "What belongs into lethe.toml on every host, besides what lethe init has written."
  value       = <<-EOT
    [s3]
    sse = "kms"
    sse_kms_key = "${aws_kms_key.store.arn}"

    [residency]
    accounts = ["${var.account}"]
  EOT
}

output "init" {
  description = "What the buckets' owner runs next."
  value = join(" ", concat(
    ["lethe init --store s3://${join("/", compact([var.bucket, trimsuffix(var.prefix, "/")]))}"],
    local.is_pair ? ["--ledger-url s3://${join("/", compact([local.ledger_bucket, trimsuffix(local.ledger_prefix, "/")]))}"] : [],
  ))
}
