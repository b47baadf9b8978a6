"""What stands behind the headline: baselines, slices, exposure, what each part adds."""
