# One bucket at Hetzner. For a ledger in a project of its own apply this twice, each time with a key of that project.

terraform {
  required_version = ">= 1.6"
  required_providers {
    # The one that Hetzner documents. Its aws counterpart asks for settings that this store does not have.
    minio = {
      source  = "aminueza/minio"
      version = "~> 3.38"
    }
  }
}

# The keys come from MINIO_USER and MINIO_PASSWORD: never from a file.
provider "minio" {
  minio_server   = "${var.location}.your-objectstorage.com"
  minio_region   = var.location
  minio_ssl      = true
  s3_compat_mode = true
}

variable "bucket" {
  description = "The bucket."
  type        = string
}

variable "prefix" {
  description = "What follows the bucket in --store, or in --ledger-url."
  type        = string
  default     = ""
}

variable "location" {
  description = "fsn1 (Falkenstein) or nbg1 (Nuremberg); hel1 (Helsinki) needs profile = \"eu\" in lethe.toml."
  type        = string
  default     = "fsn1"
  validation {
    condition     = contains(["fsn1", "nbg1", "hel1"], var.location)
    error_message = "The places are fsn1, nbg1 and hel1."
  }
}

variable "holds_ledger" {
  description = "Whether the ledger is in this bucket; false for data that has its ledger in another one."
  type        = bool
  default     = true
}

# There is nothing about versioning here, and there must never be: once it was enabled in a bucket, Hetzner's store lets
# every one of several writers win (docs/RESIDENCY.md), and that cannot be taken back. Nor is there an Object Lock, which
# would enable it.
resource "minio_s3_bucket" "this" {
  bucket         = var.bucket
  acl            = "private"
  object_locking = false
  lifecycle {
    prevent_destroy = true
  }
}

module "policies" {
  source    = "../policies"
  templates = ["bucket-policy-ceph"]
  values = {
    bucket        = var.bucket
    prefix        = var.prefix
    ledger_bucket = var.bucket
    ledger_prefix = var.prefix
  }
}

resource "minio_s3_bucket_policy" "ledger" {
  count  = var.holds_ledger ? 1 : 0
  bucket = minio_s3_bucket.this.bucket
  policy = module.policies.filled["bucket-policy-ceph"]
}

output "environment" {
  description = "What every host needs, besides its own key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
  value       = <<-EOT
    LETHE_S3_ENDPOINT=https://${var.location}.your-objectstorage.com
    LETHE_S3_REGION=${var.location}
  EOT
}
