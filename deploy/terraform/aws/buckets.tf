locals {
  ledger_bucket = coalesce(var.ledger_bucket, var.bucket)
  ledger_prefix = var.ledger_prefix == null ? var.prefix : var.ledger_prefix
  is_pair       = local.ledger_bucket != var.bucket
  buckets       = toset([var.bucket, local.ledger_bucket])
}

# No Object Lock: whoever was erased must be gone from the backups after 35 days, and what is locked for longer cannot
# be deleted by anybody. Lethe refuses such a bucket. What keeps backups from being destroyed is that the bucket's policy
# lets nobody but the pruner delete, and that whoever prunes cannot read.
resource "aws_s3_bucket" "this" {
  for_each = local.buckets
  bucket   = each.key
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  versioning_configuration {
    # The first version of a ledger entry counts: whoever replaces one gives it away.
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = local.buckets
  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  rule {
    # Nobody is let in by an ACL.
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.store.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  dynamic "rule" {
    # The ledger's own bucket has no chunks and no snapshots: only uploads that nobody finished may go.
    for_each = {
      for rule in jsondecode(module.policies.filled["lifecycle"]).Rules : rule.ID => rule
      if each.key == var.bucket || rule.ID == "unfinished-uploads"
    }
    content {
      id     = rule.key
      status = rule.value.Status
      filter {
        prefix = rule.value.Filter.Prefix
      }
      dynamic "abort_incomplete_multipart_upload" {
        for_each = try([rule.value.AbortIncompleteMultipartUpload], [])
        content {
          days_after_initiation = abort_incomplete_multipart_upload.value.DaysAfterInitiation
        }
      }
      dynamic "noncurrent_version_expiration" {
        for_each = try([rule.value.NoncurrentVersionExpiration], [])
        content {
          noncurrent_days = noncurrent_version_expiration.value.NoncurrentDays
        }
      }
      dynamic "expiration" {
        for_each = try([rule.value.Expiration], [])
        content {
          expired_object_delete_marker = expiration.value.ExpiredObjectDeleteMarker
        }
      }
    }
  }
  depends_on = [aws_s3_bucket_versioning.this]
}

locals {
  policy_of = {
    for bucket in local.buckets : bucket => concat(
      jsondecode(module.policies.filled[
        !local.is_pair ? "bucket-policy" : bucket == var.bucket ? "bucket-policy-data" : "bucket-policy-ledger"
      ]).Statement,
      jsondecode(module.kms_statement[bucket].filled["bucket-policy-kms"]).Statement,
    )
  }
}

# Last of all: from then on only break-glass may change what is above.
resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  policy   = jsonencode({ Version = "2012-10-17", Statement = local.policy_of[each.key] })
  depends_on = [
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
