# The files of deploy/iam, filled in as deploy/iam/fill.sh does: what Terraform puts in place and what somebody puts in
# place by hand are the same text. deploy/check-terraform.sh compares the two.

terraform {
  required_version = ">= 1.6"
}

variable "templates" {
  description = "Which files of deploy/iam, without .json."
  type        = set(string)
}

variable "values" {
  description = "What stands for @name@ in them."
  type        = map(string)
}

locals {
  values = merge(
    { partition = "aws", prune_role = "lethe-prune", keys_role = "lethe-keys", break_glass = "lethe-break-glass" },
    var.values,
    { for name in ["prefix", "ledger_prefix"] : name => var.values[name] == "" ? "" : "${trimsuffix(var.values[name], "/")}/" },
  )
}

output "filled" {
  description = "The policies, by the name of their file."
  # Every second piece between two @ is a name; one without a value is an error.
  value = {
    for template in var.templates : template => join("", [
      for index, piece in split("@", file("${path.module}/../../iam/${template}.json")) :
      index % 2 == 0 ? piece : local.values[piece]
    ])
  }
}
