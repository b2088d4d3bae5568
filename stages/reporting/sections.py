"""What params.yaml may say of the report."""

from stages.core.section import Count, section


@section
class ReportSettings:
    """`report`."""

    max_problems: Count
    "Problems in the page's browser; of more, a fair part is shown."
