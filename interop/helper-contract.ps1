# helper-contract.ps1: runs every reading of helper/contract.json against helper/Exseal.psm1 and prints what came as JSON. The verbs of
# the changing half are left alone: they would change the machine.
#   .\helper-contract.ps1 -Contract ..\helper\contract.json -Module ..\helper\Exseal.psm1 [-StandIns stand-ins.ps1]
# A file of stand-ins is loaded into the module first, so that it can run where there is no Exchange.
param(
    [Parameter(Mandatory = $true)][string]$Contract,
    [Parameter(Mandatory = $true)][string]$Module,
    [string]$StandIns
)

Set-StrictMode -Version 2.0
$promised = (Get-Content -LiteralPath $Contract -Raw -Encoding UTF8 | ConvertFrom-Json).functions |
    Where-Object -FilterScript { $_.PSObject.Properties['reads'] }
$loaded = Import-Module -Name $Module -PassThru -Force
if ($StandIns) { . $loaded ([scriptblock]::Create((Get-Content -LiteralPath $StandIns -Raw))) }

$results = foreach ($one in $promised) {
    $arguments = @{}
    foreach ($parameter in $one.example.input.PSObject.Properties) { $arguments[$parameter.Name] = $parameter.Value }
    $result = [ordered]@{ function = $one.name; arguments = $arguments; output = $null; error = $null }
    try { $result.output = @(& $one.name @arguments) }
    catch { $result.error = '0x{0:X8}' -f $_.Exception.GetBaseException().HResult }
    $result
}
ConvertTo-Json -InputObject @($results) -Depth 9
