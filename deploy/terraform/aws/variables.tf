variable "account" {
  description = "Your account: twelve digits. Nothing is done in another one."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "An account has twelve digits."
  }
}

variable "region" {
  description = "Where the buckets and the key are. Outside of Germany lethe.toml needs profile = \"eu\" under [residency]."
  type        = string
  default     = "eu-central-1"
  validation {
    condition = contains(
      ["eu-central-1", "eu-west-1", "eu-west-3", "eu-north-1", "eu-south-1", "eu-south-2", "eusc-de-east-1"], var.region
    )
    error_message = "Lethe would refuse a bucket there: docs/RESIDENCY.md has the list."
  }
}

variable "partition" {
  description = "aws, or aws-eusc in the European Sovereign Cloud."
  type        = string
  default     = "aws"
}

variable "bucket" {
  description = "The bucket of the data."
  type        = string
}

variable "prefix" {
  description = "What follows the bucket in --store."
  type        = string
  default     = ""
}

variable "ledger_bucket" {
  description = "A bucket of its own for the ledger; without it the ledger is in the bucket of the data."
  type        = string
  default     = null
}

variable "ledger_prefix" {
  description = "What follows the ledger's bucket in --ledger-url; without it that of the data."
  type        = string
  default     = null
}

variable "who_may_assume" {
  description = "For each role that is to be there, the ARNs of those who may assume it: { snapshot = [\"arn:aws:iam::…:role/db-host\"] }."
  type        = map(list(string))
  default     = {}
  validation {
    condition = length(setsubtract(
      keys(var.who_may_assume), ["snapshot", "erase", "restore", "verify", "prune", "keys", "doctor", "copy-into"]
    )) == 0
    error_message = "The roles are snapshot, erase, restore, verify, prune, keys, doctor and copy-into: docs/ACCESS.md."
  }
}

variable "break_glass" {
  description = "The role that alone may change the buckets once this is in place; it is your organisation's, and not made here."
  type        = string
  default     = "lethe-break-glass"
}
